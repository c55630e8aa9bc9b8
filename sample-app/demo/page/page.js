// The page of `npm run demo -- --open`. What comes is text and only ever set as text; elements are updated where they
// are, so that the focus stays.
const WINDOW_MS = 30_000;
/** A pause longer than this between two ticks of different owners is drawn as one. */
const GAP_MS = 500;
const [WIDTH, HEIGHT, MARGIN] = [1000, 150, 10];
const SVG = 'http://www.w3.org/2000/svg';

const byId = (id) => document.getElementById(id);
const cards = new Map();
let waitsFor; // the death or the start that the viewer has asked for: node and its life
let isOver = false;

const events = new EventSource('events');
events.addEventListener('message', ({ data }) => {
  connection('live', 'good');
  show(JSON.parse(data));
});
events.addEventListener('error', () => {
  if (!isOver) connection('not reached: has the demo ended?', 'bad');
});
events.addEventListener('end', () => {
  isOver = true;
  events.close();
  connection('the demo has ended', 'idle');
  for (const { button } of cards.values()) button.setAttribute('aria-disabled', 'true');
});

function show(view) {
  for (const [index, node] of view.nodes.entries()) showNode(cards.get(node.name) ?? newCard(node, index), node);
  showHeadline(view);
  showLine(view);
  showTakeovers(view.takeovers);
  write(byId('redis'), view.redis);
}

function showHeadline({ owner, nodes, singleton, takeovers: [last], line }) {
  const isAlone = nodes.every(({ state }) => state === 'dead');
  const killed = last !== undefined && last.to === null;
  if (owner) headline(`${singleton} runs on`, owner.node, '');
  else if (isAlone) headline('No node is alive');
  else if (killed) headline('', last.from, `was killed: ${singleton} runs nowhere`);
  else headline(`${nodes.length} nodes are starting`);
  const explanation = owner
    ? `Exactly one node owns it. It makes a price five times a second, and all nodes hear it.`
    : isAlone
      ? 'Start one again: it takes the singleton over.'
      : killed
        ? 'The others wait until its lease in Redis has run out, then one of them takes it over.'
        : 'Each is a process of its own on this machine; all share one Redis.';
  write(byId('explanation'), explanation);
  write(byId('failover'), last ? `${(last.ms / 1000).toFixed(killed ? 1 : 2)} s` : '–');
  const note = killed ? 'since the kill' : 'from the kill to the new owner';
  write(byId('failover-note'), last ? note : 'kill the owner to measure it');
  const tick = line.at(-1);
  write(byId('price'), tick ? tick[1].toFixed(2) : '–');
  write(byId('price-note'), tick ? `tick ${tick[2]} of ${tick[3]}` : 'no tick yet');
}

/** A sentence with the name of a node in its colour. Written only when it changes: it is read out. */
function headline(before, name = '', after = '') {
  const text = [before, name, after].filter(Boolean).join(' ');
  if (document.title === text) return;
  document.title = text;
  const span = document.createElement('span');
  span.textContent = name;
  span.dataset.node = [...cards.keys()].indexOf(name);
  byId('headline').replaceChildren(before && `${before} `, name && span, after && ` ${after}`);
}

/** A run of ticks of one owner is a line in its colour; between two owners there is a gap, as wide as it was long. */
function showLine({ line, nodes }) {
  const seen = line.filter(([ago]) => ago <= WINDOW_MS);
  const prices = seen.map(([, price]) => price);
  const [low, high] = [Math.min(...prices), Math.max(...prices)];
  const x = (ago) => (WIDTH * (1 - ago / WINDOW_MS)).toFixed(1);
  const y = (price) => (MARGIN + (HEIGHT - 2 * MARGIN) * (1 - (price - low) / (high - low || 1))).toFixed(1);
  const shapes = [];
  let run = [];
  const close = (from) => {
    const points = run.map(([ago, price]) => `${x(ago)},${y(price)}`).join(' ');
    const index = nodes.findIndex(({ name }) => name === from);
    if (run.length > 1) shapes.push(shape('polyline', { points, 'data-node': Math.max(index, 0) }));
    run = [];
  };
  for (const [index, tick] of seen.entries()) {
    const before = seen[index - 1];
    if (before !== undefined && (tick[3] !== before[3] || before[0] - tick[0] > GAP_MS)) {
      close(before[3]);
      if (before[0] - tick[0] > GAP_MS) shapes.push(gap(before[0], tick[0]));
    }
    run.push(tick);
  }
  const last = seen.at(-1);
  if (last !== undefined) close(last[3]);
  if (last !== undefined && last[0] > GAP_MS) shapes.push(gap(last[0], 0));
  byId('line').replaceChildren(...shapes);

  function gap(from, to) {
    return shape('rect', { x: x(from), y: 0, width: (x(to) - x(from)).toFixed(1), height: HEIGHT });
  }
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function newCard(node, index) {
  const root = byId('node').content.firstElementChild.cloneNode(true);
  const card = { root };
  for (const part of root.querySelectorAll('[data-part]')) card[part.dataset.part] = part;
  root.dataset.node = index;
  card.button.addEventListener('click', () => command(card));
  byId('nodes').append(root);
  cards.set(node.name, card);
  return card;
}

function showNode(card, node) {
  card.node = node;
  const { name, state, pid, port, isOwner, members, tick } = node;
  const isDead = state === 'dead';
  write(card.name, name);
  card.owner.hidden = !isOwner;
  card.root.classList.toggle('is-dead', isDead);
  write(card.state, isDead ? 'dead' : state === 'up' ? 'alive' : state);
  card.state.dataset.tone = isDead ? 'bad' : state === 'up' ? 'good' : 'warn';
  write(card.pid, pid === null ? '–' : `${pid}${port === null ? '' : `, port ${port}`}`);
  write(card.members, members.length === 0 ? '–' : `${members.length} of ${cards.size}`);
  write(card.tick, tick === null ? '–' : `${tick.tick} (${tick.price.toFixed(2)})`);
  write(card.button, isDead ? `Start ${name} again` : `kill -9 ${name}`);
  card.button.classList.toggle('is-kill', !isDead);
  if (waitsFor?.name === name && waitsFor.pid !== pid) waitsFor = undefined;
  card.button.setAttribute('aria-disabled', String(isOver || waitsFor?.name === name));
}

async function command({ button, node: { name, pid, state } }) {
  if (button.getAttribute('aria-disabled') === 'true') return;
  waitsFor = { name, pid };
  button.setAttribute('aria-disabled', 'true');
  byId('error').hidden = true;
  const body = JSON.stringify({ action: state === 'dead' ? 'start' : 'kill', node: name, pid });
  try {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch('command', { method: 'POST', headers, body });
    if (!response.ok) throw new Error(await response.text());
  } catch (error) {
    waitsFor = undefined;
    write(byId('error'), `It was not done: ${error.message}`);
    byId('error').hidden = false;
  }
}

function showTakeovers(takeovers) {
  byId('no-takeovers').hidden = takeovers.length > 0;
  const body = byId('takeovers');
  while (body.rows.length > takeovers.length) body.deleteRow(-1);
  for (const [index, { from, to, ms, epoch }] of takeovers.entries()) {
    const row = body.rows[index] ?? newRow(body);
    const texts = [from, to ?? 'no node yet', `${ms} ms`, epoch ?? '–'];
    for (const [cell, text] of texts.entries()) write(row.cells[cell], text);
  }
}

function newRow(body) {
  const row = body.insertRow();
  for (const name of ['', '', 'number', 'epoch']) row.insertCell().className = name;
  return row;
}

function connection(text, tone) {
  write(byId('connection'), text);
  byId('connection').dataset.tone = tone;
}

function write(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}
