// The list of the traces; there is one where the application collects them.
import { badge, byId, keyed, write } from './dom.js';
import { duration, number } from './format.js';
import { get } from './server.js';
import { words } from './tables.js';

const EVERY_MS = 3000;
export const isOffered = document.body.dataset.traces === 'on';

let timer;
let traces = [];

/** The word of the state of a trace. */
export const stateOf = (complete) => (complete === undefined ? 'unknown' : complete ? 'complete' : 'incomplete');

/** Asks for them from now on, every few seconds; `false` ends it. */
export function followTraces(isOn) {
  clearTimeout(timer);
  timer = undefined;
  if (!isOn) traces = [];
  else if (isOffered) void follow();
}

async function follow() {
  const mine = (timer = setTimeout(() => undefined, EVERY_MS));
  const { body } = await get('traces');
  if (timer !== mine) return; // signed out or begun again meanwhile
  if (Array.isArray(body?.traces)) traces = body.traces;
  renderTraces();
  timer = setTimeout(follow, EVERY_MS);
}

function renderTraces() {
  byId('traces').hidden = false;
  const filter = words('filter');
  const found = traces.filter(({ id }) => filter.every((word) => id.includes(word)));
  keyed(
    byId('trace-list'),
    found,
    ({ id }) => id,
    'trace-row',
    (row, { id, startedAt, spans, complete }) => {
      write(row.id, id);
      row.id.href = `#trace/${id}`;
      badge(row.state, stateOf(complete));
      write(row.spans, number(spans));
      write(row.age, duration(Date.now() - startedAt));
    },
  );
  write(byId('trace-list-foot'), traces.length === 0 ? 'None yet' : '');
}
