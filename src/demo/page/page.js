// The shop's own part: who is signed in, their orders, and the chat that carries their session.

const KEPT = 'demo.customer';
const who = document.getElementById('who');
const chat = document.createElement('firstline-chat');
chat.setAttribute('heading', 'Harbor & Pine');
let customers = [];

function keep(id) { try { localStorage.setItem(KEPT, id); } catch { /* private mode: for this page only */ } }
function kept() { try { return localStorage.getItem(KEPT) || ''; } catch { return ''; } }

async function signIn(id) {
  const customer = customers.find((one) => one.id === id);
  show(customer);
  const first = customer ? customer.name.split(' ')[0] : '';
  chat.setAttribute('greeting', customer ? `Hello ${first}, how can I help?` : 'Hello, how can I help? Sign in at the top to ask about your own orders.');
  chat.setAttribute('suggestions', customer ? 'Where is my order?|Start a return|I want to talk to a person' : 'How long does delivery take?|What is your return policy?|Store hours');
  if (!customer) { chat.removeAttribute('token'); return; }
  const answer = await fetch('/demo/session', {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ customer: id }),
  });
  if (answer.ok && who.value === id) chat.setAttribute('token', (await answer.json()).token);
}

function show(customer) {
  const list = document.getElementById('order-list');
  document.getElementById('orders').hidden = !customer || customer.orders.length === 0;
  list.replaceChildren(...(customer ? customer.orders : []).map((order) => {
    const item = document.createElement('li');
    const status = document.createElement('span');
    status.className = order.status;
    status.textContent = order.status;
    item.append(order.id, status);
    return item;
  }));
}

async function begin() {
  const answer = await fetch('/demo/customers.json').catch(() => null);
  customers = answer && answer.ok ? await answer.json() : [];
  for (const customer of customers) who.append(new Option(customer.name, customer.id));
  who.value = customers.some((one) => one.id === kept()) ? kept() : '';
  await signIn(who.value).catch(() => {});
  document.body.append(chat);
}

who.addEventListener('change', () => { keep(who.value); signIn(who.value).catch(() => {}); });
chat.addEventListener('firstline-expired', () => signIn(who.value).catch(() => {}));
begin();
