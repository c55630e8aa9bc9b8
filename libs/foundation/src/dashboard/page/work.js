// The table of the methods, handlers and jobs, and the charts of the one that is open.
import { draw } from './chart.js';
import { byId, keyed, write } from './dom.js';
import { lag, number, rate } from './format.js';
import { get } from './server.js';
import { shown, words } from './tables.js';

const EVERY_MS = 5000;

let timer;
let latest = { work: [], silent: [], leftOut: 0 };
let open;

const keyOf = ({ kind, of, work }) => JSON.stringify([kind, of, work]);
const nameOf = ({ kind, of, work }) => (work === '' ? of : kind === 'call' ? `${of}.${work}` : `${of} · ${work}`);
const textOf = (item) => `${item.kind} ${nameOf(item)}`;
const isBad = ({ failedPerSecond }) => failedPerSecond > 0;
/** Less than one in a second is something else than none. */
const often = (perSecond) => (perSecond > 0 && perSecond < 0.1 ? number(perSecond, 3) : rate(perSecond));

/** Asks for the figures from now on, every few seconds; `false` ends it. */
export function followWork(isOn) {
  clearTimeout(timer);
  timer = undefined;
  if (isOn) void follow();
  else latest = { work: [], silent: [], leftOut: 0 };
}

async function follow() {
  const mine = (timer = setTimeout(() => undefined, EVERY_MS));
  const { body } = await get('figures');
  if (timer !== mine) return; // signed out or begun again meanwhile
  if (Array.isArray(body?.work)) latest = body;
  renderWork();
  if (open !== undefined) await chart(open);
  if (timer === mine) timer = setTimeout(follow, EVERY_MS);
}

export function renderWork() {
  const { work, silent, leftOut = 0 } = latest;
  byId('work').hidden = work.length === 0 && silent.length === 0;
  keyed(
    byId('work-list'),
    shown('work', work, textOf, words('filter'), leftOut),
    keyOf,
    'work-row',
    (row, one) => {
      write(row.name, nameOf(one));
      write(row.kind, one.kind);
      write(row.rate, often(one.perSecond));
      write(row.errors, one.failedPerSecond > 0 ? often(one.failedPerSecond) : '–');
      row.errors.classList.toggle('bad', isBad(one));
      for (const share of ['p50', 'p95', 'p99']) write(row[share], one[share] === undefined ? '–' : short(one[share]));
      write(row.nodes, number(one.nodes));
      const isOpen = open !== undefined && keyOf(open) === keyOf(one);
      row.root.classList.toggle('open', isOpen);
      row.chart.setAttribute('aria-expanded', String(isOpen));
      row.chart.setAttribute('aria-label', `Charts of ${nameOf(one)}`);
    },
    (row) => row.chart.addEventListener('click', () => toggleChart(row.item)),
  );
  if (silent.length > 0) write(byId('work-silent'), `Without ${silent.join(', ')}, which did not answer in time.`);
  byId('work-silent').hidden = silent.length === 0;
}

const short = (ms) => (ms < 10 ? `${number(ms, 2)} ms` : lag(ms));

function toggleChart(item) {
  open = open !== undefined && keyOf(open) === keyOf(item) ? undefined : item;
  byId('work-charts').hidden = open === undefined;
  renderWork();
  if (open !== undefined) void chart(open);
}

async function chart(item) {
  write(byId('work-charts-title'), nameOf(item));
  const query = new URLSearchParams({ kind: item.kind, of: item.of, work: item.work });
  const { status, body } = await get(`figures/history?${query}`);
  if (open !== item) return;
  const points = Array.isArray(body?.points) ? body.points : [];
  write(
    byId('work-charts-note'),
    points.length > 0 ? '' : status === 200 ? 'Nothing within the last hour.' : 'The server does not say.',
  );
  const now = Date.now();
  const times = points.map(({ agoMs }) => (now - agoMs) / 1000);
  const column = (field) => points.map((point) => point[field] ?? null);
  draw(
    byId('work-rates'),
    [times, column('perSecond'), column('failedPerSecond')],
    [
      { label: 'per second', color: '--accent' },
      { label: 'errors', color: '--bad' },
    ],
    often,
  );
  draw(
    byId('work-times'),
    [times, column('p50'), column('p95'), column('p99')],
    [
      { label: 'p50', color: '--good' },
      { label: 'p95', color: '--accent' },
      { label: 'p99', color: '--warn' },
    ],
    short,
  );
}

byId('work-close').addEventListener('click', () => open !== undefined && toggleChart(open));
