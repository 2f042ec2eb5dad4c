// Keeps what is shown as it is on the record: fetches this very page again and puts its live parts in place.

const EVERY_MS = 6000;
const seen = new Map();

/** Dates as people here write them. */
export function times(root) {
  for (const time of root.querySelectorAll('time')) {
    if (time.hasAttribute('data-ago')) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) time.title = at.toLocaleString();
      continue;
    }
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const today = new Date().toDateString() === at.toDateString();
    time.textContent = time.hasAttribute('data-day')
      ? at.toLocaleDateString([], { dateStyle: 'medium' })
      : at.toLocaleString([], today ? { timeStyle: 'short' } : { dateStyle: 'short', timeStyle: 'short' });
    time.title = at.toLocaleString();
  }
}

/** Whether somebody is at work in a part: then it is left alone. */
function busy(part) {
  if (part.id === 'thread' || part.id === 'list' || part.id === 'rail') return false;
  const active = document.activeElement;
  return part.querySelector('details[open]') !== null
    // Whoever is on the button of an approval must not lose it to a page that is shown again.
    || (part.contains(active) && active.matches('input, textarea, select, .approval button'));
}

/** Where the focus is inside a part, so that it is there again afterwards. */
function place(part) {
  const link = document.activeElement && document.activeElement.closest('[data-case]');
  return link && part.contains(link) ? link.dataset.case : null;
}

/** Puts the live parts of another page of ours in the place of those here. */
export function replace(page, but = []) {
  for (const part of document.querySelectorAll('[data-live]')) {
    const fresh = page.getElementById(part.id);
    if (!fresh || but.includes(part.id) || busy(part)) continue;
    // Compared as the service sent it: what is shown has its dates written out.
    const text = fresh.innerHTML;
    if (seen.get(part.id) === text) continue;
    seen.set(part.id, text);
    const focused = place(part);
    const originals = [...part.querySelectorAll('details.original[open]')].map((one) => one.closest('article').id);
    const atEnd = part.scrollHeight - part.scrollTop - part.clientHeight < 60;
    const top = part.scrollTop;
    part.replaceChildren(...fresh.childNodes);
    for (const name of ['data-state', 'data-panel', 'aria-label']) {
      if (fresh.hasAttribute(name)) part.setAttribute(name, fresh.getAttribute(name));
    }
    times(part);
    for (const id of originals) part.querySelector('#' + CSS.escape(id) + ' details.original')?.setAttribute('open', '');
    part.scrollTop = part.id === 'thread' && atEnd ? part.scrollHeight : top;
    if (focused) part.querySelector('[data-case="' + CSS.escape(focused) + '"]')?.focus();
  }
  document.dispatchEvent(new CustomEvent('renewed', { detail: page }));
}

/** The page at an address of ours, or null when there is no way to it. */
export async function fetched(address, options) {
  const answer = await fetch(address, { headers: { accept: 'text/html' }, ...options }).catch(() => null);
  if (!answer || new URL(answer.url).pathname === '/console/login') return null;
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  return { answer, page };
}

/** Shows this page as it is now. */
export async function renew(but = ['notices']) {
  // What a page asks for by itself keeps nobody signed in.
  const got = await fetched(location.href, { headers: { accept: 'text/html', 'x-by-itself': '1' } });
  if (got && got.answer.ok) replace(got.page, but);
  return Boolean(got && got.answer.ok);
}

export function live() {
  if (!document.querySelector('[data-live]')) return;
  setInterval(() => { if (!document.hidden) renew(); }, EVERY_MS);
  document.addEventListener('visibilitychange', () => { if (!document.hidden) renew(); });
}
