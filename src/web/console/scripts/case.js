// An open case: its stream, its panels, who else is here, and forms that are sent without losing what is being written.
import { fetched, renew, replace, times } from './live.js';
import { composer } from './composer.js';

const main = document.querySelector('main.case');

/** A word that something did not work, where everybody sees it. */
export function notice(text) {
  const place = document.getElementById('notices');
  const line = document.createElement('p');
  line.className = 'notice strong';
  line.setAttribute('role', 'alert');
  line.textContent = text;
  place.replaceChildren(line);
}

/** Sends a form and shows the page that comes of it; whether it was taken. */
export async function send(form, submitter) {
  const fields = new URLSearchParams(new FormData(form, submitter));
  const target = submitter && submitter.hasAttribute('formaction') ? submitter.formAction : form.action;
  const got = await fetched(target, { method: 'POST', body: fields });
  if (!got) {
    notice('Not sent: there is no connection, or you are signed out. Everything you wrote is kept here; try again.');
    return null;
  }
  if (!got.answer.ok) {
    const said = got.page.querySelector('[role=alert]');
    notice(said ? said.textContent : 'That did not work; try again.');
    return null;
  }
  for (const menu of document.querySelectorAll('details.menu[open]')) menu.open = false;
  document.activeElement?.blur();
  // Before its parts move into this page.
  const stopped = got.page.querySelector('#notices .strong') !== null;
  const address = new URL(got.answer.url);
  address.searchParams.delete('said');
  // The panel that was open stays open, unless the answer is about another one.
  const open = new URL(location.href).searchParams.get('panel');
  const stays = open !== null && !address.searchParams.has('panel');
  if (stays) address.searchParams.set('panel', open);
  replace(got.page, stays ? ['side', 'tabs'] : []);
  history.replaceState(null, '', address.pathname + address.search);
  if (stays) renew(['notices']);
  return { page: got.page, stopped };
}

async function show(address) {
  const got = await fetched(address);
  if (!got || !got.answer.ok) { location.href = address; return; }
  history.replaceState(null, '', address);
  replace(got.page);
  const side = document.getElementById('side');
  const target = address.hash && side.querySelector(address.hash);
  side.scrollTop = 0;
  if (target) {
    target.tabIndex = -1;
    target.focus();
    target.scrollIntoView({ block: 'start' });
  }
}

export function begin() {
  const thread = document.getElementById('thread');
  thread.scrollTop = thread.scrollHeight;
  composer(main.dataset.case);
  // The composer sends itself; every other form of the case is sent beside what is being written.
  document.addEventListener('submit', async (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.id === 'composer' || form.method === 'dialog') return;
    if (!new URL(form.action).pathname.startsWith('/console/cases/')) return;
    event.preventDefault();
    const buttons = [...form.querySelectorAll('button')];
    buttons.forEach((button) => { button.disabled = true; });
    const body = event.submitter;
    body && (body.disabled = false);
    await send(form, body);
    buttons.forEach((button) => { button.disabled = false; });
  });
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    const address = new URL(link.href);
    if (address.pathname !== location.pathname || !address.searchParams.has('panel')) return;
    event.preventDefault();
    show(address);
  });
  let last = Number(main.dataset.last);
  const stream = new EventSource('/console/cases/' + main.dataset.case + '/stream?after=' + last);
  stream.addEventListener('message', (event) => {
    const { seq } = JSON.parse(event.data);
    if (seq <= last) return;
    last = seq;
    renew();
  });
  stream.addEventListener('state', () => renew());
  times(document);
  main.dataset.ready = 'true';
}
