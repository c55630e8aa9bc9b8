// Pure: numbers and times as the page writes them. Has no document, so that a spec in Node can read it.

/** A number as text, or a dash for what is not a number. */
export const number = (value, digits = 0) =>
  Number.isFinite(value) ? value.toLocaleString('en', { maximumFractionDigits: digits }) : '–';

/** Messages per second: one digit after the point matters only below ten. */
export const rate = (value) => number(value, value < 10 ? 1 : 0);

/** Milliseconds as text; from ten seconds on in larger units. */
export const lag = (ms) => (ms >= 10_000 ? duration(ms) : `${number(ms, ms < 10 ? 1 : 0)} ms`);

/** `1 node`, `2 nodes`. */
export const plural = (count, word, more = `${word}s`) => `${number(count)} ${count === 1 ? word : more}`;

/** With a capital letter. */
export const capital = (word) => `${String(word).charAt(0).toUpperCase()}${String(word).slice(1)}`;

/** The sum of what `of` reads from each item; what is not a number counts as 0. */
export const sum = (items, of) => items.reduce((total, item) => total + (Number(of(item)) || 0), 0);

/** Milliseconds in the two largest units that matter: `3 h 5 min`. */
export function duration(ms) {
  if (!Number.isFinite(ms)) return '–';
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
