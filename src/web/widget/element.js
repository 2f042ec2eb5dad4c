// <firstline-chat>: the launcher, the panel and the thread. What people wrote is only ever set as text.
//
// Attributes: heading, greeting, suggestions ("a|b|c"), endpoint, token (a customer token or a session that the site has signed).

class FirstlineChat extends HTMLElement {
  static observedAttributes = ['token'];

  connectedCallback() {
    if (!this.shadowRoot) this.build();
    this.connect();
  }

  disconnectedCallback() { if (this.conversation) this.conversation.stop(); }

  attributeChangedCallback(name, before, now) { if (this.isConnected && this.shadowRoot && before !== now) this.connect(); }

  // --- the page inside ---

  build() {
    const root = this.attachShadow({ mode: 'open' });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    const heading = this.getAttribute('heading') || 'Chat with us';
    const part = (tag, className, attributes = {}, ...children) => {
      const node = document.createElement(tag);
      if (className) node.className = className;
      for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
      node.append(...children);
      return node;
    };
    this.make = part;
    this.badge = part('span', 'badge', { hidden: '' });
    this.launcher = part('button', 'launcher', { type: 'button', 'aria-expanded': 'false', 'aria-controls': 'panel' },
      icon('M12 3c5 0 9 3.4 9 7.6s-4 7.6-9 7.6c-.9 0-1.800-.1-2.600-.3L4.500 20.500l1-3.900C3.900 15.200 3 13 3 10.600 3 6.400 7 3 12 3z'), this.badge);
    this.close = part('button', 'close', { type: 'button', 'aria-label': 'Close the chat' }, icon('M6 6l12 12M18 6L6 18'));
    this.standing = part('p', 'standing', {}, 'Usually answers at once');
    this.log = part('div', 'log', { role: 'log', 'aria-live': 'polite', 'aria-relevant': 'additions', 'aria-busy': 'true', 'aria-label': 'Messages', tabindex: '0' });
    this.typing = part('div', 'typing', { hidden: '' }, part('i'), part('i'), part('i'), part('span', 'unseen', {}, 'The assistant is writing'));
    this.choices = part('div', 'choices', { role: 'group', 'aria-label': 'Suggested replies' });
    this.notice = part('p', 'notice', { role: 'status' });
    this.input = part('textarea', '', { id: 'words', rows: '1', placeholder: 'Write a message…', maxlength: '20000', enterkeyhint: 'send' });
    this.submit = part('button', 'send', { type: 'submit', 'aria-label': 'Send' }, icon('M4 12l16-8-6 16-3-6z'));
    this.form = part('form', '', { novalidate: '' }, part('label', 'unseen', { for: 'words' }, 'Your message'), this.input, this.submit);
    this.panel = part('section', 'panel', { id: 'panel', role: 'dialog', 'aria-label': heading, hidden: '' },
      part('header', '', {}, part('div', 'mark', { 'aria-hidden': 'true' }, heading.slice(0, 1)), part('div', '', {}, part('h2', '', {}, heading), this.standing), this.close),
      this.log, this.typing, this.choices, this.notice, this.form);
    root.append(this.panel, this.launcher);
    this.wire();
    this.labelLauncher();
  }

  wire() {
    this.launcher.addEventListener('click', () => this.show(this.panel.hidden));
    this.close.addEventListener('click', () => this.show(false));
    this.panel.addEventListener('keydown', (event) => { if (event.key === 'Escape') this.show(false); });
    this.form.addEventListener('submit', (event) => { event.preventDefault(); this.say(this.input.value); });
    this.input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); this.say(this.input.value); }
    });
    this.input.addEventListener('input', () => this.fit());
    this.choices.addEventListener('keydown', (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      const all = [...this.choices.children];
      const next = all[(all.indexOf(this.shadowRoot.activeElement) + step + all.length) % all.length];
      if (next) { event.preventDefault(); next.focus(); }
    });
  }

  // --- the conversation ---

  connect() {
    if (this.conversation) this.conversation.stop();
    this.bubbles = new Map(); // message id, or outbox id while it is on its way
    this.newest = null;
    this.unread = 0;
    this.restoring = true;
    this.log.replaceChildren();
    this.log.setAttribute('aria-busy', 'true');
    this.setTyping(false);
    this.count();
    const on = { session: 'onSession', message: 'onMessage', queued: 'onQueued', stored: 'onStored', refused: 'onRefused', ready: 'onReady', typing: 'onTyping', state: 'onState', connection: 'onConnection', expired: 'onExpired' };
    const conversation = new Conversation((this.getAttribute('endpoint') || '').replace(/\/$/, ''), this.getAttribute('token'));
    for (const [name, method] of Object.entries(on)) conversation.addEventListener(name, (event) => this[method](event.detail));
    this.conversation = conversation.start();
    this.offer([]);
    this.greet();
  }

  greet() {
    const greeting = this.getAttribute('greeting');
    if (greeting) this.greeting = this.bubble({ author: 'assistant', text: greeting });
  }

  onSession(session) { this.setAttribute('data-conversation', session.conversation); }

  onReady() {
    this.log.setAttribute('aria-busy', 'false');
    if (this.restoring) {
      this.restoring = false;
      if (!this.newest && this.bubbles.size === 0) this.offer((this.getAttribute('suggestions') || '').split('|').filter(Boolean));
      this.count();
      this.toNewest();
    }
  }

  onMessage(message) {
    if (this.bubbles.has(message.id)) return;
    const mine = message.author === 'customer';
    const awaited = mine && [...this.bubbles.entries()].find(([, b]) => b.pending && b.text === message.text);
    if (awaited) this.settle(awaited[0], message.id, message.at);
    else this.bubbles.set(message.id, this.bubble(message));
    this.newest = message;
    if (!mine) {
      this.setTyping(false);
      const seen = message.id <= this.conversation.readUpTo;
      if (!this.panel.hidden) this.conversation.readUpTo = message.id;
      else if (!seen) this.unread += 1;
      if (!this.restoring) this.count();
    }
    this.offer(mine ? [] : message.choices || []);
  }

  onQueued(item) {
    this.offer([]);
    this.bubbles.set(item.id, this.bubble({ author: 'customer', text: item.text }, 'Sending…'));
    this.bubbles.get(item.id).pending = true;
  }

  onStored({ id, message }) {
    this.settle(id, message);
    clearTimeout(this.soon);
    this.soon = setTimeout(() => { if (this.newest && this.newest.id <= message && this.withAssistant) this.setTyping(true); }, 400);
  }

  // The bubble that was on its way becomes the stored message; if the stream was faster, only one stays.
  settle(id, message, at) {
    const bubble = this.bubbles.get(id);
    if (!bubble) return;
    this.bubbles.delete(id);
    if (this.bubbles.has(message)) { bubble.node.remove(); return; }
    bubble.pending = false;
    bubble.note.textContent = clock(at || new Date());
    bubble.node.classList.remove('on-its-way');
    this.bubbles.set(message, bubble);
  }

  onRefused({ id, why }) {
    const bubble = this.bubbles.get(id);
    if (!bubble) return;
    bubble.pending = false;
    bubble.node.classList.replace('on-its-way', 'refused');
    bubble.note.textContent = 'Not sent: ' + why;
  }

  onTyping({ on }) { this.setTyping(on); }

  onState({ state }) {
    const words = { queued: 'Waiting for a colleague', agent: 'A colleague is with you', snoozed: 'A colleague is with you' };
    this.withAssistant = !words[state];
    this.standing.textContent = words[state] || 'Usually answers at once';
    if (!this.withAssistant) this.setTyping(false);
  }

  onConnection(state) {
    this.panel.classList.toggle('offline', state === 'lost');
    this.notice.textContent = state === 'lost' ? 'Connection lost. Reconnecting… what you write is kept and sent.' : '';
  }

  onExpired() {
    this.notice.textContent = 'This chat session is over. Please reload the page.';
    this.dispatchEvent(new CustomEvent('firstline-expired', { bubbles: true, composed: true }));
  }

  say(text) {
    if (!text.trim()) return;
    this.conversation.send(text.trim());
    this.input.value = '';
    this.fit();
    this.toNewest();
    this.input.focus();
  }

  // --- drawing ---

  bubble({ author, text, at, citations, attachments }, note) {
    const mine = author === 'customer';
    const words = this.make('p', 'words', { dir: 'auto' });
    if (mine) words.textContent = text; else linked(words, text);
    const small = this.make('span', 'note', {}, note || (at ? clock(at) : ''));
    const who = { customer: 'You', assistant: 'Assistant', agent: 'Support colleague' }[author] || author;
    const node = this.make('article', 'bubble ' + (mine ? 'mine' : author), {}, this.make('span', author === 'agent' ? 'who' : 'unseen', {}, who + (author === 'agent' ? '' : ': ')), words);
    words.hidden = !text;
    for (const file of attachments || []) if (file.id) node.append(this.file(file));
    if (citations && citations.length) node.append(this.make('span', 'sources', {}, 'From: ' + citations.map((c) => c.title).join(' · ')));
    node.append(small);
    if (note) node.classList.add('on-its-way');
    this.log.append(node);
    if (!this.restoring) this.toNewest();
    return { node, note: small, text, pending: false };
  }

  file({ id, name }) {
    const button = this.make('button', 'file', { type: 'button' }, name);
    button.addEventListener('click', async () => {
      button.disabled = true;
      try {
        const address = URL.createObjectURL(await this.conversation.file(id));
        const link = this.make('a', '', { href: address, download: name });
        link.click();
        setTimeout(() => URL.revokeObjectURL(address), 60000);
        this.notice.textContent = '';
      } catch {
        this.notice.textContent = 'The file could not be fetched. Please try again.';
      }
      button.disabled = false;
    });
    return button;
  }

  offer(choices) {
    const held = this.shadowRoot.activeElement && this.choices.contains(this.shadowRoot.activeElement);
    this.choices.replaceChildren(...choices.map((choice) => {
      const button = this.make('button', 'choice', { type: 'button' }, choice);
      button.addEventListener('click', () => this.say(choice));
      return button;
    }));
    this.choices.hidden = choices.length === 0;
    if (held) (this.choices.firstElementChild || this.input).focus();
    if (choices.length) this.toNewest();
  }

  setTyping(on) {
    clearTimeout(this.soon);
    this.typing.hidden = !on;
    if (on) this.toNewest();
  }

  show(open) {
    this.panel.hidden = !open;
    this.launcher.setAttribute('aria-expanded', String(open));
    this.toggleAttribute('open', open);
    if (open) {
      this.unread = 0;
      if (this.newest) this.conversation.readUpTo = this.newest.id;
      this.count();
      this.toNewest();
      this.input.focus();
    } else {
      this.launcher.focus();
    }
  }

  count() {
    this.badge.hidden = this.unread === 0;
    this.badge.textContent = this.unread > 9 ? '9+' : String(this.unread);
    this.labelLauncher();
  }

  labelLauncher() {
    const news = this.unread ? ', ' + this.unread + ' unread' : '';
    this.launcher.setAttribute('aria-label', (this.panel.hidden ? 'Open the chat' : 'Close the chat') + news);
  }

  fit() {
    this.input.style.height = 'auto';
    this.input.style.height = Math.min(this.input.scrollHeight, 140) + 'px';
  }

  toNewest() { requestAnimationFrame(() => { this.log.scrollTop = this.log.scrollHeight; }); }
}

// Text with its https links made clickable; everything else stays text.
function linked(node, text) {
  let from = 0;
  for (const found of text.matchAll(/https:\/\/[^\s<>"'`]+/g)) {
    const address = found[0].replace(/[.,;:!?)\]]+$/, '');
    let url;
    try { url = new URL(address); } catch { continue; }
    if (url.protocol !== 'https:' || url.username) continue;
    const link = document.createElement('a');
    link.href = url.href;
    link.textContent = address;
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow';
    node.append(text.slice(from, found.index), link);
    from = found.index + address.length;
  }
  node.append(text.slice(from));
}

function clock(at) { return new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }); }

function icon(path) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  line.setAttribute('d', path);
  svg.append(line);
  return svg;
}

if (!customElements.get('firstline-chat')) customElements.define('firstline-chat', FirstlineChat);
