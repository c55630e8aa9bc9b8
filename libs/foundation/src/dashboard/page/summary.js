// The head of the page: how well the cluster is and why not better, and the tiles.
import { badge, byId, keyed, tone, toneOf, write } from './dom.js';
import { capital, number, rate, sum } from './format.js';

/** Overviews in the curve of the messages. */
const POINTS = 60;

const sentLately = [];

/** Adds an overview to the curve. */
export function addPoint({ channels }) {
  sentLately.push(sum(channels, ({ sentPerSecond }) => sentPerSecond));
  if (sentLately.length > POINTS) sentLately.shift();
}

export function renderSummary(overview) {
  const { app, health } = overview;
  const status = capital(health.status);
  write(byId('app'), app);
  write(byId('health'), status);
  tone(byId('health'), toneOf(health.status));
  const page = `${health.status === 'healthy' ? '' : `${status} · `}${app} · Foundation`;
  if (document.title !== page) document.title = page;
  renderReasons(health);
  renderTiles(overview);
}

function renderReasons({ status, reasons }) {
  tone(byId('reasons'), toneOf(status));
  byId('reasons').hidden = reasons.length === 0;
  keyed(
    byId('reason-list'),
    reasons,
    ({ severity, message, detail }) => `${severity} ${message} ${detail ?? ''}`,
    'reason-item',
    (row, { severity, message, detail }) => {
      badge(row.severity, severity);
      write(row.message, detail === undefined ? message : `${message} (${detail})`);
    },
  );
}

function tile(name, figure, note, noteTone) {
  write(byId(`tile-${name}`), figure);
  write(byId(`tile-${name}-note`), note);
  tone(byId(`tile-${name}-note`), noteTone);
}

function renderTiles({ nodes, departed, processes, processesLeftOut, services, servicesLeftOut, channels }) {
  const others = nodes.filter(({ state }) => state !== 'up');
  const states = [...new Set(others.map(({ state }) => state))];
  const counted = states.map((state) => `${number(others.filter((node) => node.state === state).length)} ${state}`);
  const dead = departed.filter(({ state }) => state === 'down').length;
  if (dead > 0) counted.push(`${number(dead)} gone`);
  const isWell = others.length === 0 && dead === 0;
  tile('nodes', number(nodes.length), counted.join(', ') || 'all up', isWell ? 'idle' : 'warn');

  const idle = processes.filter(({ state }) => !['running', 'completed', 'stopped'].includes(state));
  const isBad = idle.some(({ state }) => toneOf(state) === 'bad');
  const orMore = idle.length === processes.length && processesLeftOut > 0 ? ' or more' : '';
  const total = processes.length + processesLeftOut;
  const allWell = total === 0 ? 'none started' : 'all well';
  const note = idle.length === 0 ? allWell : `${number(idle.length)}${orMore} not running`;
  tile('processes', number(total), note, idle.length === 0 ? 'idle' : isBad ? 'bad' : 'warn');

  const sick = services.filter(({ status }) => status !== 'healthy').length;
  const offered = services.length + servicesLeftOut;
  const health = offered === 0 ? 'none registered' : sick === 0 ? 'all healthy' : `${number(sick)} unhealthy`;
  tile('services', number(offered), health, sick > 0 ? 'bad' : 'idle');

  const received = `${rate(sum(channels, ({ receivedPerSecond }) => receivedPerSecond))} received`;
  tile('messages', rate(sum(channels, ({ sentPerSecond }) => sentPerSecond)), received, 'idle');
  const top = Math.max(1, ...sentLately);
  const points = sentLately.map((sent, index) => `${(index * 100) / (POINTS - 1)},${23 - (22 * sent) / top}`);
  byId('tile-messages-spark').setAttribute('points', points.join(' '));
}
