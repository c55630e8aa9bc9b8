// The table of the processes, those in trouble first; the partitions and replicas of one are a row that can be opened.
import { askMove, askRestart } from './actions.js';
import { badge, byId, keyed, title, tone, toneOf, write } from './dom.js';
import { duration, number, sum } from './format.js';
import { historyOf } from './history.js';
import { lookIntoProcess } from './look.js';
import { isOpen, shown, toggle, troubledFirst } from './tables.js';

const textOf = ({ name, kind, state, node, why, error, members }) =>
  [name, kind, state, node, why, error, ...(members ?? []).map(textOf)].join(' ');

/** The process that a partition or a replica belongs to. */
const processOf = (name) => /^(.+)(?:[#/]\d+|@[A-Za-z0-9_.-]+)$/.exec(name)?.[1] ?? name;

/** The states of a group, the worst first: it shows the tone of that one. */
const RANKS = ['bad', 'warn', 'idle', 'good'];
const worstOf = (states) =>
  Object.keys(states)
    .map(toneOf)
    .sort((a, b) => RANKS.indexOf(a) - RANKS.indexOf(b))[0];

export function renderProcesses(overview, filter) {
  const { nodes, at } = overview;
  keyed(
    byId('process-list'),
    rowsOf(overview, filter),
    ({ isPart, members, name }) => `${members === undefined ? (isPart ? 'part' : 'one') : 'group'} ${name}`,
    'process-row',
    (row, one) => {
      row.nodes = nodes;
      row.root.classList.toggle('part', one.isPart === true);
      write(row.name, one.name);
      row.name.href = historyOf(one.name);
      write(row.kind, one.isPart ? '' : one.kind);
      if (one.members === undefined) renderOne(row, one, at);
      else renderGroup(row, one);
      write(row.restarts, number(one.restarts));
      row.restarts.classList.toggle('bad', one.restarts > 0);
    },
    (row) => {
      row.look.addEventListener('click', () => lookIntoProcess(row.item));
      row.move.addEventListener('click', () => askMove(row.item, row.nodes));
      row.restart.addEventListener('click', () => askRestart(row.item));
      row.toggle.addEventListener('click', () => toggle(`process ${row.item.name}`));
    },
  );
}

function rowsOf({ processes, processesLeftOut, groups }, filter) {
  const known = new Set(groups.map(({ name }) => name));
  const members = new Map(groups.map(({ name }) => [name, []]));
  const single = [];
  for (const one of processes) {
    const name = one.kind === 'singleton' ? one.name : processOf(one.name);
    (known.has(name) && one.kind !== 'singleton' ? members.get(name) : single).push(one);
  }
  const all = [...single, ...groups.map((group) => ({ ...group, members: members.get(group.name) }))].sort((a, b) =>
    a.name.localeCompare(b.name, 'en', { numeric: true }),
  );
  const toneIn = ({ states, state }) => (states === undefined ? toneOf(state) : worstOf(states));
  const sorted = troubledFirst(
    all,
    (item) => toneIn(item) === 'bad',
    (item) => toneIn(item) === 'warn',
  );
  // What is left out belongs to groups mostly, which say how many they have.
  const counted = sum(groups, ({ count }) => count) - sum([...members.values()], ({ length }) => length);
  return shown('process', sorted, textOf, filter, Math.max(0, processesLeftOut - counted)).flatMap((item) =>
    item.members !== undefined && isOpen(`process ${item.name}`)
      ? [item, ...item.members.map((member) => ({ ...member, isPart: true }))]
      : [item],
  );
}

function renderOne(row, one, at) {
  row.toggle.hidden = true;
  write(row.why, one.why);
  badge(row.state, one.state);
  write(row.error, one.error);
  write(row.node, one.node ?? '–');
  title(row.node, one.epoch === undefined ? '' : `epoch ${one.epoch}`);
  write(row.age, one.startedAt === undefined ? '–' : duration(at - one.startedAt));
  // One on every node stays there.
  row.move.hidden = row.restart.hidden = row.look.hidden = false;
  row.look.disabled = one.node === undefined;
  row.look.setAttribute('aria-label', `Look into ${one.name}`);
  row.move.disabled = one.name.endsWith(`@${one.node}`) || !row.nodes.some(({ name }) => name !== one.node);
  row.move.setAttribute('aria-label', `Move ${one.name}`);
  row.restart.setAttribute('aria-label', `Restart ${one.name}`);
}

/** "64 partitions", all running, "a 25, b 23, c 20". */
function renderGroup(row, group) {
  const { name, kind, count, states, nodes, members } = group;
  const word = kind === 'partitioned' ? 'partitions' : 'replicas';
  const open = isOpen(`process ${name}`);
  row.toggle.hidden = false;
  write(row.toggle, open ? `hide ${word}` : `${number(count)} ${word}`);
  row.toggle.setAttribute('aria-expanded', String(open));
  row.toggle.setAttribute('aria-label', `${number(count)} ${word} of ${name}`);
  const left = count - members.length;
  write(row.why, open && left > 0 ? `${number(left)} of them are not listed here` : '');
  const others = Object.entries(states).filter(([state]) => state !== 'running');
  write(row.error, '');
  const isAll = others.length === 0;
  write(row.state, isAll ? 'running' : `${number(states.running ?? 0)} of ${number(count)} running`);
  tone(row.state, worstOf(states));
  title(row.state, others.map(([state, number]) => `${number} ${state}`).join(', '));
  write(row.node, nodes.map(([node, running]) => `${node} ${number(running)}`).join(', ') || '–');
  title(row.node, '');
  write(row.age, '–');
  row.move.hidden = row.restart.hidden = row.look.hidden = true;
}
