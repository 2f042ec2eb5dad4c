// The conversation behind the widget: session, outbox, live stream. Knows nothing of the page.
//
// Every message gets its id here and stays in the outbox (localStorage) until the service has said that
// it is stored. Sending the same id again is harmless, so after a cut or a reload everything that is
// still in the outbox is simply sent again: nothing is lost, nothing is doubled.

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 15000;
const SILENCE_MAX_MS = 40000; // the service says something at least every 15 seconds

class Conversation extends EventTarget {
  constructor(endpoint, givenToken) {
    super();
    this.endpoint = endpoint;
    this.givenToken = givenToken;
    this.token = givenToken || null;
    this.key = null;
    this.cursor = '';
    this.outbox = [];
    this.stopped = false;
    this.sending = false;
    this.retryMs = RETRY_FIRST_MS;
    this.wake = () => this.hurry && this.hurry();
    window.addEventListener('online', this.wake);
  }

  start() { this.run(); return this; }

  stop() {
    this.stopped = true;
    window.removeEventListener('online', this.wake);
    if (this.cut) this.cut.abort();
    this.wake();
  }

  tell(name, detail) { if (!this.stopped) this.dispatchEvent(new CustomEvent(name, { detail })); }

  // --- what is kept in the browser ---

  read(name) { try { return window.localStorage.getItem('firstline.' + name); } catch { return this['_' + name] || null; } }

  write(name, text) {
    this['_' + name] = text;
    try { window.localStorage.setItem('firstline.' + name, text); } catch { /* private mode: kept in memory */ }
  }

  forget(name) {
    this['_' + name] = null;
    try { window.localStorage.removeItem('firstline.' + name); } catch { /* private mode: kept in memory */ }
  }

  // One entry per message, so that two tabs never overwrite each other's.
  keep(item) { this.write('outbox.' + this.key + '.' + item.id, item.text); }

  kept() {
    const start = 'firstline.outbox.' + this.key + '.';
    try {
      return Object.keys(window.localStorage).filter((name) => name.startsWith(start))
        .map((name) => ({ id: name.slice(start.length), text: window.localStorage.getItem(name) }));
    } catch { return []; }
  }

  get readUpTo() { return this.read('read.' + this.key) || ''; }
  set readUpTo(id) { if (this.key) this.write('read.' + this.key, id); }

  // --- session ---

  async begin() {
    // A customer token (three parts) begins a session of that customer; with it goes what the visitor had before.
    const customer = this.givenToken && this.givenToken.split('.').length === 3;
    const stored = customer ? this.read('session') : this.givenToken || this.read('session');
    const body = customer ? { customer_token: this.givenToken } : {};
    let answer = await this.call('POST', '/widget/session', body, stored || null);
    if (answer.status === 401 && !this.givenToken) answer = await this.call('POST', '/widget/session', {}, null);
    if (answer.status === 401) { this.tell('expired'); throw new Stop(); }
    if (!answer.ok) throw new Error('session ' + answer.status);
    const session = await answer.json();
    this.token = session.token;
    if (!this.givenToken) this.write('session', session.token);
    else if (customer) this.forget('session'); // who comes after a sign-out is somebody new
    if (this.key !== session.conversation) {
      this.key = session.conversation;
      const known = new Set(this.outbox.map((item) => item.id));
      const kept = this.kept().filter((item) => !known.has(item.id)).sort((a, b) => (a.id < b.id ? -1 : 1));
      for (const item of this.outbox) this.keep(item);
      this.outbox = kept.concat(this.outbox);
      for (const item of kept) this.tell('queued', item);
    }
    this.tell('session', session);
  }

  call(method, path, body, token = this.token, signal = undefined) {
    const headers = {};
    if (token) headers.Authorization = 'Bearer ' + token;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    return fetch(this.endpoint + path, {
      method, headers, signal, credentials: 'omit', cache: 'no-store',
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  // A file of the thread: only this session may have it, so it is fetched and handed to the page.
  async file(id) {
    const answer = await this.call('GET', '/widget/files/' + encodeURIComponent(id), undefined);
    if (!answer.ok) throw new Error('file ' + answer.status);
    return answer.blob();
  }

  // --- live ---

  async run() {
    while (!this.stopped) {
      try {
        await this.begin();
        await this.listen();
      } catch (error) {
        if (error instanceof Stop) return;
      }
      if (this.stopped) return;
      this.tell('connection', 'lost');
      await this.pause(this.retryMs * (0.7 + Math.random() * 0.6));
      this.retryMs = Math.min(this.retryMs * 2, RETRY_MAX_MS);
    }
  }

  pause(ms) {
    return new Promise((done) => {
      const timer = setTimeout(done, ms);
      this.hurry = () => { clearTimeout(timer); this.retryMs = RETRY_FIRST_MS; done(); };
    });
  }

  async listen() {
    this.cut = new AbortController();
    const watch = { timer: 0 };
    const alive = () => { clearTimeout(watch.timer); watch.timer = setTimeout(() => this.cut.abort(), SILENCE_MAX_MS); };
    try {
      alive();
      const after = this.cursor ? '?after=' + encodeURIComponent(this.cursor) : '';
      const answer = await this.call('GET', '/widget/stream' + after, undefined, this.token, this.cut.signal);
      if (!answer.ok || !answer.body) throw new Error('stream ' + answer.status);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = '';
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        alive();
        rest += value;
        const blocks = rest.split('\n\n');
        rest = blocks.pop();
        for (const block of blocks) this.hear(block);
      }
    } finally {
      clearTimeout(watch.timer);
      this.cut.abort();
    }
  }

  hear(block) {
    let name = 'message', data = '', id = null;
    for (const line of block.split('\n')) {
      if (line.startsWith('event:')) name = line.slice(6).trim();
      else if (line.startsWith('data:')) data += line.slice(5).trim();
      else if (line.startsWith('id:')) id = line.slice(3).trim();
    }
    if (!data) return;
    const detail = JSON.parse(data);
    this.tell(name, detail);
    if (id) this.cursor = id;
    if (name === 'ready') {
      this.retryMs = RETRY_FIRST_MS;
      this.tell('connection', 'live');
      this.flush();
    }
  }

  // --- outbox ---

  send(text) {
    const item = { id: 'm-' + newId(), text };
    this.outbox.push(item);
    if (this.key) this.keep(item);
    this.tell('queued', item);
    this.flush();
  }

  discard(id) {
    this.outbox = this.outbox.filter((item) => item.id !== id);
    try { window.localStorage.removeItem('firstline.outbox.' + this.key + '.' + id); } catch { /* kept in memory only */ }
  }

  async flush() {
    if (this.sending || !this.key) return;
    this.sending = true;
    try {
      while (this.outbox.length && !this.stopped) {
        const item = this.outbox[0];
        const answer = await this.call('POST', '/widget/messages', item);
        if (answer.ok) {
          const stored = await answer.json();
          this.discard(item.id);
          this.tell('stored', { id: item.id, message: stored.message_id });
        } else if (answer.status === 401) {
          this.cut.abort(); // a new session, then the outbox again
          return;
        } else if (answer.status < 500 && answer.status !== 408 && answer.status !== 429) {
          const refused = await answer.json().catch(() => null);
          this.discard(item.id);
          this.tell('refused', { id: item.id, why: (refused && refused.error && refused.error.message) || 'It was not accepted.' });
        } else {
          throw new Error('messages ' + answer.status);
        }
      }
    } catch {
      if (!this.stopped) setTimeout(() => this.flush(), this.retryMs);
    } finally {
      this.sending = false;
    }
  }
}

class Stop extends Error {}

// Time first, so that the outbox sorts in the order of writing.
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Date.now().toString(16).padStart(12, '0') + Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
