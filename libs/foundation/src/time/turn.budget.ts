/**
 * Keeps the turns of the event loop short, so that timers fire and leases are renewed while a lot of work is done.
 * Called by whoever works through many things in a row; There is one budget for all work, because it shares the loop.
 */

/** A turn may take this many milliseconds; a handler that has begun is not interrupted. */
const BUDGET_MS = 5;

const waiting: (() => void)[] = [];
let began = 0;
let timer: NodeJS.Immediate | undefined;

/** True when the work of this turn has taken this many milliseconds: go on in {@link nextTurn}. */
export function isLongTurn(budget = BUDGET_MS, now = performance.now()): boolean {
  if (timer === undefined) {
    began = now;
    timer = setImmediate(resume);
  }
  return now - began > budget;
}

/** Resolves in a later turn, for one waiter in each, the first first; an urgent one is first. */
export function nextTurn(isUrgent = false): Promise<void> {
  timer ??= setImmediate(resume);
  return new Promise((resolve) => {
    if (isUrgent) waiting.unshift(resolve);
    else waiting.push(resolve);
  });
}

function resume(): void {
  timer = undefined;
  const next = waiting.shift();
  if (next === undefined) return;
  began = performance.now();
  timer = setImmediate(resume);
  next();
}
