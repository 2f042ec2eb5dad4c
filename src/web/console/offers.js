// Says that this page is open, and keeps one's presence and the offered cases up to date.

const OFFERS_EVERY_MS = 4000;
const place = document.getElementById('desk-place');
const csrf = place && place.dataset.csrf;
let beat = 30000;
const title = document.title;
let beaten = 0;
let gone = false;

async function seen() {
  beaten = Date.now();
  const body = new URLSearchParams({ csrf });
  await fetch('/console/presence', { method: 'POST', body, redirect: 'manual' }).catch(() => null);
}

async function renewOffers() {
  if (!place || gone) return;
  const answer = await fetch('/console/offers', { redirect: 'manual' }).catch(() => null);
  if (!answer || !answer.ok) return;
  const text = await answer.text();
  if (text !== renewOffers.last && !place.contains(document.activeElement)) {
    renewOffers.last = text;
    place.innerHTML = text; // rendered and escaped by the service itself
    const panel = place.firstElementChild;
    beat = panel ? Number(panel.dataset.heartbeat) || beat : 0; // whoever only looks on has none
    for (const time of place.querySelectorAll('time')) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) time.textContent = at.toLocaleTimeString([], { timeStyle: 'short' });
    }
  }
  if (beat && Math.abs(Date.now() - beaten) >= beat) await seen();
  const count = place.querySelectorAll('.offer').length;
  document.title = count > 0 ? '(' + count + ') ' + title : title;
}

if (place) {
  // Whoever works on a case stays there; accepting an offer leads to its case, as without this script.
  place.addEventListener('submit', async (event) => {
    if (!event.target.matches('.presence')) return;
    event.preventDefault();
    event.stopPropagation();
    const body = new URLSearchParams(new FormData(event.target, event.submitter));
    await fetch(event.target.action, { method: 'POST', body, redirect: 'manual' }).catch(() => null);
    document.activeElement.blur();
    renewOffers();
  });
  window.addEventListener('pagehide', () => { gone = true; });
  window.addEventListener('pageshow', () => { gone = false; });
  document.addEventListener('visibilitychange', () => { if (!document.hidden) renewOffers(); });
  renewOffers();
  setInterval(renewOffers, OFFERS_EVERY_MS);
}
