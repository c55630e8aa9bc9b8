// What the tables have in common: their filters, how many rows they show, and which of them an operator has opened.
import { byId, write } from './dom.js';
import { number } from './format.js';

/** Rows of a table, until all are asked for. */
const ROWS = 24;

const opened = new Set();
let changed = () => undefined;

/** True for a table that is shown whole, and for a channel that is shown by node. */
export const isOpen = (what) => opened.has(what);

/** Opens or closes, and has the page written again. */
export function toggle(what) {
  if (!opened.delete(what)) opened.add(what);
  changed();
}

/** Calls `listener` whenever something was opened or closed. */
export const onToggle = (listener) => void (changed = listener);

/** The words in a field for filters. */
export const words = (id) => byId(id).value.toLowerCase().split(/\s+/).filter(Boolean);

/** The items whose text has all words of the filter. */
export function matching(items, filter, textOf) {
  if (filter.length === 0) return items;
  return items.filter((item) => {
    const text = textOf(item).toLowerCase();
    return filter.every((word) => text.includes(word));
  });
}

/** In the order they have, but bad ones first; passing troubles too, where they might not be among the rows shown. */
export function troubledFirst(items, isBad, isPassing) {
  const rank = (item) => (isBad(item) ? 0 : items.length > ROWS && isPassing(item) ? 1 : 2);
  return [...items].sort((a, b) => rank(a) - rank(b));
}

/** The rows of a table that are shown; writes its foot, which says what is not. */
export function shown(kind, items, textOf, filter, leftOut) {
  const found = matching(items, filter, textOf);
  const rows = isOpen(kind) ? found : found.slice(0, ROWS);
  const more = byId(`${kind}-more`);
  more.hidden = found.length <= ROWS;
  write(more, isOpen(kind) ? `Show the first ${ROWS}` : `Show all ${number(found.length)}`);
  const parts = [];
  if (items.length === 0 && leftOut === 0) parts.push('None yet');
  if (items.length > 0 && filter.length > 0) parts.push(`${number(found.length)} of ${number(items.length)} match`);
  if (rows.length < found.length) parts.push(`${number(rows.length)} shown`);
  if (leftOut > 0) parts.push(`and ${number(leftOut)} more that are not listed here`);
  write(byId(`${kind}-foot`), parts.join(', '));
  return rows;
}
