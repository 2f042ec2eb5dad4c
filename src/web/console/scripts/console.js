// Every page: without these modules it still works; it only has to be reloaded, and sent by its own buttons.
import { live, times } from './live.js';
import { keys } from './keys.js';

document.documentElement.classList.add('scripted');
times(document);
keys();
for (const form of document.querySelectorAll('[data-submits]')) {
  form.addEventListener('change', () => form.requestSubmit());
}
for (const button of document.querySelectorAll('[data-opens]')) {
  button.addEventListener('click', () => document.getElementById(button.dataset.opens).showModal());
}
// One menu at a time; a click elsewhere and Escape close it.
document.addEventListener('click', (event) => {
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    menu.open = false;
    menu.querySelector('summary').focus();
  }
});
live();
if (document.querySelector('main.case')) {
  const { begin } = await import('./case.js');
  begin();
}
