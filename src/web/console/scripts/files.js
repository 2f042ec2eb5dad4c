// Files that go with a reply: kept by the service as soon as they are chosen.

export function files(id, csrf, tell) {
  const input = document.getElementById('file');
  const list = document.getElementById('files');
  if (!input) return;
  const show = (all) => {
    list.hidden = all.length === 0;
    list.replaceChildren(...all.map((file) => {
      const item = document.createElement('li');
      item.dataset.file = file.id;
      const size = document.createElement('span');
      size.className = 'hint';
      size.textContent = file.size;
      const off = document.createElement('button');
      off.type = 'button';
      off.className = 'quiet';
      off.textContent = '×';
      off.setAttribute('aria-label', 'Take off ' + file.name);
      item.append(file.name + ' ', size, ' ', off);
      return item;
    }));
    document.dispatchEvent(new Event('files'));
  };
  const call = async (path, options) => {
    const answer = await fetch('/console/cases/' + id + '/files' + path, { method: 'POST', ...options }).catch(() => null);
    if (!answer) return tell('The file was not kept: there is no connection.');
    const told = await answer.json().catch(() => ({}));
    if (answer.ok) show(told.files);
    else tell(told.error ? told.error.message : 'The file was not kept.');
  };
  input.addEventListener('change', async () => {
    for (const file of input.files) {
      const name = encodeURIComponent(file.name);
      await call('', { body: file, headers: { 'x-csrf': csrf, 'x-file-name': name, accept: 'application/json' } });
    }
    input.value = '';
  });
  list.addEventListener('click', (event) => {
    const item = event.target.closest('button') && event.target.closest('li');
    if (item) call('/' + item.dataset.file, { body: new URLSearchParams({ csrf }), headers: { accept: 'application/json' } });
  });
  document.addEventListener('sent', () => show([]));
}
