// The view of the journal: what happened, to a process or to all, newest first; new entries come while it is open.
import { byId, keyed, title, tone, write } from './dom.js';
import { number } from './format.js';
import { get } from './server.js';

const EVERY_MS = 3000;
/** Entries in one answer; another click asks for more, up to what the server gives at once. */
const STEPS = [100, 1000];

const BAD = /crashed|escalated|lost|isolated|interrupted|name_taken/;
const WARN = /^command|^release|drain|missed|skipped|left_out|unrecorded|node_left/;

const clock = new Intl.DateTimeFormat('en-GB', { dateStyle: 'short', timeStyle: 'medium' });
const form = byId('history-form');
/** The one that is shown; none while another view is. */
let address;
let timer;
let entries = [];
let step = 0;
/** What is asked for, to be dropped when something else is. */
let asked;

/** The address of the history of a process. */
export const historyOf = (process) => `#history/${encodeURIComponent(process)}`;

function processOfHash() {
  const [, name = ''] = /^#history(?:\/(.*))?$/.exec(location.hash) ?? [];
  try {
    return decodeURIComponent(name);
  } catch {
    return '';
  }
}

export const isHistory = () => /^#history(\/|$)/.test(location.hash);

/** Shows it, or stops asking for it; also called when the stream is open again. */
export function showHistory(isShown) {
  byId('history').hidden = !isShown;
  clearTimeout(timer);
  asked = undefined;
  if (!isShown) address = undefined;
  else if (address === location.hash) void load();
  else {
    if (address === undefined) byId('history').focus({ preventScroll: true });
    address = location.hash;
    form.elements.process.value = processOfHash();
    restart();
  }
}

function restart() {
  entries = [];
  step = 0;
  void load();
}

/** What the form says, as the server takes it. */
function query() {
  const { process, node, kind, when, since, until } = form.elements;
  const isBetween = when.value === 'between';
  for (const label of form.querySelectorAll('[data-between]')) label.hidden = !isBetween;
  const [from = '', to = ''] = isBetween
    ? [since, until].map(({ value }) => (value === '' ? '' : new Date(value).toISOString()))
    : when.value.split(' ');
  const fields = { process: process.value.trim(), node: node.value.trim(), kind: kind.value, since: from, until: to };
  return Object.entries(fields).filter(([, value]) => value !== '');
}

async function load(after) {
  clearTimeout(timer);
  const fields = new URLSearchParams([...query(), ['limit', STEPS[step]], ...(after ? [['after', after]] : [])]);
  const mine = (asked = `${fields}`);
  const { status, body } = await get(`history?${mine}`);
  if (asked !== mine || address === undefined) return;
  byId('history-error').hidden = status === 200;
  if (status === 200) entries = after ? merged(body.entries) : body.entries;
  else write(byId('history-error'), body?.message ?? 'The server cannot be reached.');
  render();
  if (status !== 401 && status !== 400) timer = setTimeout(load, EVERY_MS, newestId());
}

function merged(fresh) {
  const known = new Set(entries.map(({ id }) => id));
  const all = [...fresh.filter(({ id }) => !known.has(id)), ...entries];
  return all.sort((a, b) => b.at - a.at).slice(0, STEPS[step]);
}

/** Ids are `<ms>-<number>`; what was written last need not have happened last. */
function newestId() {
  const order = (id) => id.split('-').map(Number);
  const ids = entries.map(({ id }) => id);
  return ids.sort((a, b) => order(b)[0] - order(a)[0] || order(b)[1] - order(a)[1])[0];
}

function toneOf({ kind, reason }) {
  if (BAD.test(kind) || (kind === 'cluster.node_left' && reason !== 'shutdown')) return 'bad';
  return WARN.test(kind) ? 'warn' : 'idle';
}

function render() {
  write(byId('history-of'), form.elements.process.value.trim());
  keyed(
    byId('history-list'),
    entries,
    ({ id }) => id,
    'history-row',
    (row, entry) => {
      write(row.time, clock.format(entry.at));
      row.time.dateTime = new Date(entry.at).toISOString();
      title(row.time, new Date(entry.at).toISOString());
      write(row.kind, entry.kind);
      tone(row.kind, toneOf(entry));
      write(row.process, entry.process ?? '–');
      if (entry.process === undefined) row.process.removeAttribute('href');
      else row.process.href = historyOf(entry.process);
      write(row.node, entry.node);
      write(row.text, entry.text);
    },
  );
  const isFull = entries.length >= STEPS[step];
  const more = byId('history-more');
  more.hidden = !isFull || step === STEPS.length - 1;
  write(more, `Show up to ${number(STEPS[step + 1])}`);
  const foot = isFull ? `The newest ${number(entries.length)}` : `${number(entries.length)} entries`;
  write(byId('history-foot'), entries.length === 0 ? 'Nothing of that is in the journal' : foot);
}

let typing;
form.addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(restart, 300);
});
form.addEventListener('submit', (event) => event.preventDefault());
byId('history-more').addEventListener('click', () => {
  step = Math.min(step + 1, STEPS.length - 1);
  void load();
});
