// Keeps an open console page live. Without it every page still works; it only has to be reloaded.

const LISTS_EVERY_MS = 4000;
const STATES = {
  assistant: 'With the assistant', queued: 'Waiting for a person', agent: 'With a person',
  snoozed: 'Put aside', resolved: 'Resolved', closed: 'Closed',
};
const lists = document.getElementById('lists');
const main = document.querySelector('main.case');

async function renewLists() {
  if (document.hidden || !lists) return;
  const chosen = main ? '?chosen=' + encodeURIComponent(main.dataset.case) : '';
  const answer = await fetch('/console/lists' + chosen, { redirect: 'manual' }).catch(() => null);
  if (!answer || !answer.ok) return;
  const text = await answer.text();
  if (text === renewLists.last || lists.contains(document.activeElement)) return;
  renewLists.last = text;
  lists.innerHTML = text; // rendered and escaped by the service itself
}

function times(root) {
  for (const time of root.querySelectorAll('time')) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) time.textContent = at.toLocaleString([], { dateStyle: 'short', timeStyle: 'short' });
  }
}

function append(message) {
  const thread = document.getElementById('thread');
  const article = document.createElement('article');
  article.className = message.author + (message.internal ? ' internal' : '');
  const who = document.createElement('p');
  who.className = 'who';
  who.textContent = message.internal ? 'Note ' : message.author[0].toUpperCase() + message.author.slice(1) + ' ';
  const place = document.createElement('span');
  const time = document.createElement('time');
  time.dateTime = message.at;
  place.append(message.channel.replaceAll('_', ' ') + ' · ', time);
  who.append(place);
  const words = document.createElement('p');
  words.className = 'words';
  words.dir = 'auto';
  words.textContent = message.text;
  article.append(who, words);
  for (const file of message.attachments || []) {
    const line = document.createElement('p');
    line.className = 'hint';
    if (file.id) {
      const link = document.createElement('a');
      link.href = '/console/attachments/' + encodeURIComponent(file.id);
      link.download = '';
      link.textContent = file.name;
      line.append(link);
    } else line.textContent = file.name + ' (kept by the channel)';
    article.append(line);
  }
  thread.append(article);
  times(article);
  thread.scrollTop = thread.scrollHeight;
}

// On a phone the note's long parts are opened by a tap, so that the conversation is near.
if (window.matchMedia('(max-width: 1000px)').matches) {
  for (const part of document.querySelectorAll('.note details')) part.open = false;
}
if (lists) setInterval(renewLists, LISTS_EVERY_MS);
times(document);
if (main) {
  // A form that was sent brings its own page; a page that is shown again meanwhile would hide what came of it.
  let leaving = false;
  document.addEventListener('submit', () => { leaving = true; });
  window.addEventListener('pageshow', () => { leaving = false; });
  const again = () => {
    const text = document.getElementById('text');
    if (leaving || (text && text.value)) return false;
    window.location.reload();
    return true;
  };
  const thread = document.getElementById('thread');
  thread.scrollTop = thread.scrollHeight;
  let last = Number(main.dataset.last);
  const live = new EventSource('/console/cases/' + main.dataset.case + '/stream?after=' + last);
  live.addEventListener('message', (event) => {
    const message = JSON.parse(event.data);
    if (message.seq <= last) return;
    last = message.seq;
    // What the customer hears about an approval says that it was decided.
    if (message.author === 'assistant' && document.querySelector('.approval[data-open]') && again()) return;
    append(message);
    renewLists();
  });
  live.addEventListener('state', (event) => {
    const { state } = JSON.parse(event.data);
    if (state === main.dataset.state) return;
    if (again()) return;
    main.dataset.state = state;
    document.getElementById('state').textContent = STATES[state] || state;
  });
  const text = document.getElementById('text');
  if (text) text.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) document.getElementById('send').click();
  });
}
