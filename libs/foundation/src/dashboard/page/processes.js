// The table of the processes, those in trouble first.
import { askMove, askRestart } from './actions.js';
import { badge, byId, keyed, toneOf, write } from './dom.js';
import { duration, number } from './format.js';
import { historyOf } from './history.js';
import { shown, troubledFirst } from './tables.js';

const textOf = ({ name, kind, state, node, why, error }) => [name, kind, state, node, why, error].join(' ');

export function renderProcesses({ processes, processesLeftOut, nodes, at }, filter) {
  const sorted = troubledFirst(
    processes,
    ({ state }) => toneOf(state) === 'bad',
    ({ state }) => toneOf(state) === 'warn',
  );
  keyed(
    byId('process-list'),
    shown('process', sorted, textOf, filter, processesLeftOut),
    ({ name }) => name,
    'process-row',
    (row, one) => {
      row.nodes = nodes;
      write(row.name, one.name);
      row.name.href = historyOf(one.name);
      write(row.kind, one.kind);
      write(row.why, one.why);
      badge(row.state, one.state);
      write(row.error, one.error);
      write(row.node, one.node ?? '–');
      write(row.epoch, one.epoch ?? '–');
      write(row.age, one.startedAt === undefined ? '–' : duration(at - one.startedAt));
      write(row.restarts, number(one.restarts));
      row.restarts.classList.toggle('bad', one.restarts > 0);
      // One on every node stays there.
      row.move.disabled = one.name.endsWith(`@${one.node}`) || !nodes.some(({ name }) => name !== one.node);
      row.move.setAttribute('aria-label', `Move ${one.name}`);
      row.restart.setAttribute('aria-label', `Restart ${one.name}`);
    },
    (row) => {
      row.move.addEventListener('click', () => askMove(row.item, row.nodes));
      row.restart.addEventListener('click', () => askRestart(row.item));
    },
  );
}
