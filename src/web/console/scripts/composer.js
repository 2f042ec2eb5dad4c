// The box for replies and notes: measured while one types, kept all the time, sent once.
import { notice, send } from './case.js';
import { drop, keep, kept } from './drafts.js';
import { files } from './files.js';

const HERE_MS = 8000;
const KEEP_MS = 900;
const MEASURE_MS = 250;
const WRITING_MS = 6000;

export function composer(id) {
  const form = document.getElementById('composer');
  const others = document.getElementById('others');
  const csrf = document.querySelector('input[name=csrf]').value;
  const text = form && document.getElementById('text');
  let written = 0;
  let dirty = false;

  async function here(more) {
    const fields = new URLSearchParams({ csrf, writing: Date.now() - written < WRITING_MS ? '1' : '', ...more });
    if (form && dirty) {
      fields.set('text', text.value);
      fields.set('kind', kind());
      fields.set('way', form.elements.way ? form.elements.way.value : '');
      fields.set('seen', document.getElementById('seen').value);
    }
    const sent = text && text.value;
    const answer = await fetch('/console/cases/' + id + '/here', { method: 'POST', body: fields, headers: { accept: 'application/json', ...(dirty ? {} : { 'x-by-itself': '1' }) } }).catch(() => null);
    if (!answer || !answer.ok || new URL(answer.url).pathname === '/console/login') {
      if (dirty) say('Kept in this browser only: no connection');
      return;
    }
    if (text && dirty && sent === text.value) {
      dirty = false;
      drop(id);
      say(text.value ? 'Kept' : '');
    }
    const told = await answer.json().catch(() => ({ others: [] }));
    const lines = told.others.map((one) => one.name + (one.writing ? ' is writing' : ' is here'));
    others.hidden = lines.length === 0;
    if (others.textContent !== lines.join('. ')) others.textContent = lines.join('. ');
  }

  const say = (words) => { const place = document.getElementById('kept'); if (place) place.textContent = words; };
  const kind = () => form.elements.kind.value;
  setInterval(() => { if (!document.hidden) here({}); }, HERE_MS);
  here({});
  window.addEventListener('pagehide', () => {
    const fields = new URLSearchParams({ csrf, gone: '1' });
    if (form && dirty) {
      fields.set('text', text.value);
      fields.set('kind', kind());
      fields.set('way', form.elements.way ? form.elements.way.value : '');
      fields.set('seen', document.getElementById('seen').value);
    }
    navigator.sendBeacon('/console/cases/' + id + '/here', fields);
  });
  if (!form) return;

  const before = kept(id);
  if (before && before.text && before.text !== text.value) {
    text.value = before.text;
    form.elements.kind.value = before.kind;
    dirty = true;
  }
  files(id, csrf, notice);
  const way = document.getElementById('way');
  const chosen = () => (way.options ? way.options[way.selectedIndex] : way);
  const meter = document.getElementById('meter');
  const standing = meter.textContent;

  function mode() {
    const note = kind() === 'note';
    form.classList.toggle('note', note);
    document.getElementById('send').textContent = note ? 'Keep note' : 'Send';
    text.placeholder = note ? 'For colleagues only; @login tells somebody' : 'Write to the customer';
    measure();
  }

  let measuring = 0;
  function measure() {
    clearTimeout(measuring);
    const attached = document.querySelector('#files li') !== null;
    text.required = kind() === 'note' || !attached;
    if (kind() === 'note' || !(text.value.trim() || attached)) {
      meter.textContent = kind() === 'note' ? 'The customer never sees a note.' : standing;
      meter.classList.remove('over');
      return;
    }
    measuring = setTimeout(async () => {
      const place = chosen();
      const measured = text.value;
      const fields = new URLSearchParams({ csrf, case: id, channel: place.dataset.channel, text: measured });
      const answer = await fetch('/console/measure', { method: 'POST', body: fields, headers: { accept: 'application/json' } }).catch(() => null);
      if (!answer || !answer.ok) return;
      const told = await answer.json().catch(() => null);
      if (!told || measured !== text.value) return;
      const lines = [told.count + ' of ' + place.dataset.most + ('bytes' in place.dataset ? ' bytes' : ' characters')];
      if (told.segments) lines.push(told.segments + (told.segments === 1 ? ' segment' : ' segments') + ', ' + told.alphabet);
      if (told.parts > 1) lines.push('leaves in ' + told.parts + ' messages');
      if (place.dataset.window) lines.push(place.dataset.window);
      if (attached) lines.push(told.files || 'takes ' + place.dataset.files);
      meter.textContent = lines.join(' · ');
      meter.classList.toggle('over', told.parts > 1 || Boolean(told.files));
    }, MEASURE_MS);
  }

  document.addEventListener('files', measure);

  let keeping = 0;
  function changed() {
    written = Date.now();
    dirty = true;
    keep(id, { text: text.value, kind: kind() });
    clearTimeout(keeping);
    keeping = setTimeout(() => here({}), KEEP_MS);
    measure();
  }
  text.addEventListener('input', changed);
  form.addEventListener('change', (event) => {
    if (event.target.name === 'kind') mode();
    if (event.target === way) measure();
    if (event.target.name === 'kind' || event.target === way) changed();
  });
  text.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit(document.getElementById('send'));
  });
  mode();

  function insert(words) {
    text.setRangeText(words, text.selectionStart, text.selectionEnd, 'end');
    text.focus();
    changed();
  }
  const macro = document.getElementById('macro');
  macro.addEventListener('change', async () => {
    if (!macro.value) return;
    const answer = await fetch('/console/cases/' + id + '/macros/' + encodeURIComponent(macro.value), { headers: { accept: 'application/json' } }).catch(() => null);
    macro.value = '';
    if (answer && answer.ok) insert(await answer.text());
    else notice('That text cannot be inserted here.');
  });
  document.getElementById('suggest').addEventListener('click', async (event) => {
    const button = event.target;
    const place = document.getElementById('suggestion');
    button.disabled = true;
    const answer = await fetch('/console/cases/' + id + '/suggest', { method: 'POST', body: new URLSearchParams({ csrf }), headers: { accept: 'application/json' } }).catch(() => null);
    const told = answer && answer.ok ? await answer.json().catch(() => null) : null;
    button.disabled = false;
    place.hidden = false;
    if (!told || told.nothing) {
      place.textContent = told ? told.nothing : 'The assistant could not be asked just now.';
      return;
    }
    const from = document.createElement('p');
    from.className = 'hint';
    from.textContent = told.citations.length ? 'From ' + told.citations.map((one) => one.title).join(', ') : 'From what the tools said in this case';
    const take = document.createElement('button');
    take.type = 'button';
    take.textContent = 'Take it into the box';
    take.addEventListener('click', () => { place.hidden = true; insert(told.text); });
    const leave = document.createElement('button');
    leave.type = 'button';
    leave.textContent = 'Leave it';
    leave.addEventListener('click', () => { place.hidden = true; text.focus(); });
    const row = document.createElement('p');
    row.className = 'send';
    row.append(take, leave);
    place.replaceChildren(told.text, from, row);
  });

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const button = document.getElementById('send');
    if (button.disabled) return;
    button.disabled = true;
    clearTimeout(keeping);
    const got = await send(form, button);
    button.disabled = false;
    if (!got) {
      changed();
      return;
    }
    for (const name of ['reply-id', 'seen']) document.getElementById(name).value = got.page.getElementById(name).value;
    if (got.stopped) {
      dirty = true;
      text.focus();
      return;
    }
    text.value = '';
    measure();
    drop(id);
    // Once more, so that a text which was on its way to be kept is not there again.
    dirty = true;
    here({});
    document.dispatchEvent(new Event('sent'));
    mode();
    const thread = document.getElementById('thread');
    thread.scrollTop = thread.scrollHeight;
  });
  document.addEventListener('renewed', (event) => {
    const there = event.detail.getElementById('composer') !== null;
    if (!there && !text.value.trim()) location.reload();
  });
  // What the page shows is what has been seen: a reply is stopped only by what is newer than that.
  document.addEventListener('renewed', (event) => {
    const fresh = event.detail.getElementById('seen');
    if (fresh && !text.value.trim()) document.getElementById('seen').value = fresh.value;
  });
}
