// Pure: where the spans of a trace are on a time-line. Has no document, so that a spec in Node can read it.
import { duration, number } from './format.js';

/** A pause is drawn shorter when it is longer than this share of the time in which something happened. */
const LONG_PAUSE = 0.25;
/** So many of the longest pauses. */
const MAX_PAUSES = 8;
/** Of the width, in percent: a shortened pause, and the least of what lies between two of them. */
const PAUSE_WIDTH = 5;
const LEAST_WIDTH = 4;
/** Percent between two ticks, and between the texts of two parts where there is little room. */
const TICK_WIDTH = 11;
const NEAR = 18;

/** Milliseconds as a time-line writes them: three digits that matter. */
export function took(ms) {
  if (!Number.isFinite(ms)) return '–';
  if (ms < 1000) return `${number(ms, ms < 1 ? 2 : ms < 10 ? 1 : 0)} ms`;
  if (ms < 60_000) return `${number(ms / 1000, 2)} s`;
  const seconds = Math.floor(ms / 1000) % 60;
  return ms < 3_600_000 && seconds > 0 ? `${duration(ms)} ${seconds} s` : duration(ms);
}

/** The spans as a tree is read: each below its parent, in the order of their beginning, with its depth. */
export function treeOf(spans) {
  const known = new Set(spans.map(({ id }) => id));
  const childrenOf = new Map();
  for (const span of spans) {
    const parent = known.has(span.parent) ? span.parent : undefined;
    if (!childrenOf.has(parent)) childrenOf.set(parent, []);
    childrenOf.get(parent).push(span);
  }
  const lines = [];
  const placed = new Set();
  const place = (first) => {
    // Not by recursion: whoever makes the spans decides how deep they are.
    const waiting = [{ span: first, depth: 0 }];
    while (waiting.length > 0) {
      const { span, depth } = waiting.pop();
      if (placed.has(span)) continue;
      placed.add(span);
      lines.push({ span, depth });
      const children = [...(childrenOf.get(span.id) ?? [])].sort((a, b) => b.start - a.start);
      for (const child of children) waiting.push({ span: child, depth: depth + 1 });
    }
  };
  for (const span of [...(childrenOf.get(undefined) ?? [])].sort((a, b) => a.start - b.start)) place(span);
  // What is left is a circle of parents.
  for (const span of spans) place(span);
  return lines;
}

/** When something happened: spans that touch are one stretch. What has not ended lasts until the end. */
function stretchesOf(spans, end) {
  const stretches = [];
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    const to = Math.max(span.start, span.end ?? end);
    const last = stretches.at(-1);
    if (last !== undefined && span.start <= last.to) last.to = Math.max(last.to, to);
    else stretches.push({ from: span.start, to });
  }
  return stretches;
}

/** The scale of a time-line, on which long pauses are shortened; places and widths are percent. */
export function scaleOf(spans) {
  const start = Math.min(...spans.map((span) => span.start));
  const end = Math.max(...spans.map((span) => span.end ?? span.start));
  const stretches = stretchesOf(spans, end);
  const busy = stretches.reduce((sum, { from, to }) => sum + to - from, 0);
  const pauses = stretches.slice(1).map(({ from }, index) => ({ from: stretches[index].to, to: from }));
  const long = pauses
    .filter(({ from, to }) => to - from > busy * LONG_PAUSE)
    .sort((a, b) => b.to - b.from - (a.to - a.from))
    .slice(0, MAX_PAUSES)
    .sort((a, b) => a.from - b.from);
  const parts = [...long, undefined].map((pause, index) => ({
    from: index === 0 ? start : long[index - 1].to,
    to: pause?.from ?? end,
  }));
  const room = 100 - long.length * PAUSE_WIDTH - parts.length * LEAST_WIDTH;
  const whole = parts.reduce((sum, { from, to }) => sum + to - from, 0);
  let left = 0;
  for (const [index, part] of parts.entries()) {
    part.left = left;
    part.width = LEAST_WIDTH + (whole > 0 ? (room * (part.to - part.from)) / whole : room / parts.length);
    left += part.width;
    if (index >= long.length) continue;
    long[index].left = left;
    long[index].width = PAUSE_WIDTH;
    left += PAUSE_WIDTH;
  }
  const at = (time) => {
    for (const { from, to, left, width } of [...parts, ...long]) {
      if (time >= from && time <= to) return left + (to > from ? (width * (time - from)) / (to - from) : 0);
    }
    return time < start ? 0 : 100;
  };
  return { start, end, parts, pauses: long, at };
}

/** The ticks of a scale: each part says when it begins, and then how much later it is. */
export function ticksOf({ start, parts }) {
  const ticks = [];
  let textAt = -Infinity;
  for (const { from, to, left, width } of parts) {
    // The first text is a digit.
    const isNear = left - textAt < (ticks.length === 1 ? NEAR / 3 : NEAR);
    if (!isNear) textAt = left;
    // Two parts that are very near have one text.
    const isUnder = ticks.length > 0 && left - ticks.at(-1).left < TICK_WIDTH / 2;
    ticks.push({ left, text: isUnder ? '' : ticks.length === 0 ? '0' : took(from - start), isFirst: true, isNear });
    const step = niceStep(((to - from) * TICK_WIDTH) / width);
    for (let offset = step; offset < to - from; offset += step) {
      const place = left + (width * offset) / (to - from);
      if (place > left + width - TICK_WIDTH / 2) break;
      ticks.push({ left: place, text: `+${took(offset)}`, isFirst: false, isNear: false });
    }
  }
  return ticks;
}

/** The next of 1, 2, 5, 10, 20, … */
function niceStep(least) {
  if (!(least > 0)) return Infinity;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((digit) => digit * power).find((step) => step >= least * (1 - 1e-9));
}
