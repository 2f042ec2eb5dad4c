// The keyboard: single letters move and act, unless somebody is writing or has switched them off.

const KEPT = 'firstline-keys';
const GO_MS = 1200;

function links() {
  const list = document.querySelector('#list') || document.querySelector('#day') || document.querySelector('#rail');
  return list ? [...list.querySelectorAll('a[data-case]')] : [];
}

function move(step) {
  const all = links();
  if (!all.length) return;
  const at = all.findIndex((link) => link === document.activeElement || link.matches('[aria-current]') && !all.includes(document.activeElement));
  const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
  next.focus();
  next.scrollIntoView({ block: 'nearest' });
}

function write(kind) {
  const radio = document.querySelector('#composer input[name=kind][value=' + kind + ']');
  if (!radio) return;
  radio.checked = true;
  radio.dispatchEvent(new Event('change', { bubbles: true }));
  document.getElementById('text').focus();
}

function openMenu(id) {
  const menu = document.getElementById(id);
  if (!menu) return;
  menu.open = true;
  menu.querySelector('button').focus();
}

const ACTS = {
  j: () => move(1),
  k: () => move(-1),
  r: () => write('reply'),
  n: () => write('note'),
  e: () => openMenu('settle'),
  s: () => openMenu('snooze'),
  a: () => document.getElementById('take')?.click(),
  '/': () => document.getElementById('find')?.focus(),
  '?': () => document.getElementById('keys')?.showModal(),
};
const PLACES = { q: '/console', d: '/console/day' };

export function keys() {
  const box = document.getElementById('keys-on');
  if (!box) return;
  box.checked = localStorage.getItem(KEPT) !== 'off';
  box.addEventListener('change', () => localStorage.setItem(KEPT, box.checked ? 'on' : 'off'));
  let going = 0;
  document.addEventListener('keydown', (event) => {
    const active = document.activeElement;
    if (event.key === 'Escape' && active && active.matches('input, textarea, select')) active.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !box.checked) return;
    if (active && active.matches('input:not([type=radio]):not([type=checkbox]), textarea, select')) return;
    if (document.querySelector('dialog[open]')) return;
    if (Date.now() < going && PLACES[event.key]) {
      event.preventDefault();
      location.href = PLACES[event.key];
      return;
    }
    going = event.key === 'g' ? Date.now() + GO_MS : 0;
    const act = ACTS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
