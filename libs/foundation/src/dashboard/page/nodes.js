// The cards of the nodes.
import { askDrain, askUndrain } from './actions.js';
import { badge, byId, chips, keyed, title, tone, write } from './dom.js';
import { duration, lag, number } from './format.js';
import { shown, troubledFirst } from './tables.js';

const nameOf = ({ name }) => name;
const isDraining = ({ state }) => state === 'draining';

export function renderNodes({ nodes, departed, self, at }) {
  const sorted = troubledFirst(
    [...nodes, ...departed.map((node) => ({ ...node, isGone: true }))],
    () => false,
    ({ state }) => state !== 'up',
  );
  keyed(
    byId('node-list'),
    shown('node', sorted, nameOf, [], 0),
    ({ name, isGone, since }) => (isGone ? `gone ${name} ${since}` : name),
    'node-card',
    (row, node) => {
      row.root.classList.toggle('gone', node.isGone === true);
      row.facts.hidden = row.foot.hidden = node.isGone === true;
      write(row.name, node.name);
      badge(row.state, node.state);
      write(row.where, `${node.host}, pid ${node.pid}`);
      row.self.hidden = node.name !== self || node.isGone === true;
      if (node.isGone) return renderGone(row, node, at);
      write(row.load, node.capacity > 0 ? `${number(node.load)} of ${number(node.capacity)}` : number(node.load));
      write(row.lag, lag(node.lag));
      write(row.uptime, duration(at - node.joinedAt));
      write(row.version, node.release ?? `Foundation ${node.version}`);
      title(row.version, `Foundation ${node.version}`);
      row.gauge.hidden = !(node.capacity > 0);
      const share = node.capacity > 0 ? Math.min(1, node.load / node.capacity) : 0;
      row.level.style.width = `${share * 100}%`;
      tone(row.gauge, share > 0.9 ? 'bad' : share > 0.7 ? 'warn' : 'good');
      chips(
        row.labels,
        Object.entries(node.labels ?? {}).map(([label, value]) => `${label}: ${value}`),
      );
      const verb = isDraining(node) ? 'Undrain' : 'Drain';
      write(row.drain, verb);
      row.drain.setAttribute('aria-label', `${verb} ${node.name}`);
    },
    (row) => row.drain.addEventListener('click', () => (isDraining(row.item) ? askUndrain : askDrain)(row.item)),
  );
}

/** As it was last; the cluster goes on without it. */
function renderGone(row, { state, since, version }, at) {
  const how = state === 'left' ? 'Left' : 'Gone';
  write(row.where, `${how} ${duration(at - since)} ago · ${row.where.textContent} · ${version}`);
  row.gauge.hidden = true;
}
