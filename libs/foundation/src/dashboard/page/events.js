// The list of the last events, the newest first.
import { byId, keyed, title, tone, write } from './dom.js';
import { number } from './format.js';
import { matching, words } from './tables.js';

/** How many are kept, and how many of them are shown. */
const KEPT = 1000;
const SHOWN = 200;

const BAD = /escalat|crash|fail|lost|isolat|dead|invalid|unhealthy|refused|violat/;
const WARN = /left|suspect|gap|drop|stall|drain|degrad|warn|expired|stopped|deregister/;

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const toneOfEvent = (event) => (BAD.test(event) ? 'bad' : WARN.test(event) ? 'warn' : 'idle');
const lines = new Map();

/** A reconnect brings the last ones again, and what happens again soon after raises the count of its line. */
export function addEvent(one) {
  const key = `${one.at} ${one.event} ${one.node} ${one.text}`;
  lines.set(key, { ...one, key });
  if (lines.size > KEPT) lines.delete(lines.keys().next().value);
}

export function clearEvents() {
  lines.clear();
}

export function renderEvents() {
  const all = [...lines.values()].sort((a, b) => b.at - a.at);
  const filter = words('event-filter');
  const found = matching(all, filter, ({ event, node, text }) => [event, node, text].join(' '));
  keyed(
    byId('event-list'),
    found.slice(0, SHOWN),
    ({ key }) => key,
    'event-item',
    (row, { at, event, node, text, count }) => {
      write(row.time, clock.format(at));
      row.time.dateTime = new Date(at).toISOString();
      title(row.time, new Date(at).toLocaleString());
      write(row.event, event);
      tone(row.event, toneOfEvent(event));
      write(row.node, node);
      write(row.text, count > 1 ? `${text} (${number(count)} times)` : text);
    },
  );
  const parts = [];
  if (all.length === 0) parts.push('Nothing has happened yet');
  if (all.length > 0 && filter.length > 0) parts.push(`${number(found.length)} of ${number(all.length)} match`);
  if (found.length > SHOWN) parts.push(`and ${number(found.length - SHOWN)} older`);
  write(byId('event-foot'), parts.join(', '));
}
