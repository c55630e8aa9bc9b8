/**
 * What waits for what: which process the code that runs now belongs to, and which other one it waits for.
 * Entered by the instances of processes; asked by whatever waits for a process. Underneath: `AsyncLocalStorage`.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { afresh } from '../context/fresh.js';
import { isThenable } from '../foreign/gate.js';
import { MAX_CHAIN } from './call.codec.js';

/** An instance of a process whose hooks, tasks and calls may wait. */
export interface Waiter {
  readonly spec: { readonly name: string };
  /** Names of the processes that it waits for, and how often. */
  readonly waitsFor: Map<string, number>;
  /** It is on the node that sent the call which runs now; here it is known by its name only. */
  readonly isElsewhere?: boolean;
}

/** One hook, task or call that is under way. */
interface Part {
  waiter: Waiter;
  /** The part that waits for this one; not any more when this one is over. */
  parent: Part | undefined;
  isOver: boolean;
}

const PARTS = new AsyncLocalStorage<Part | undefined>();

/** Runs a hook, a task or a call of an instance as its own, until what it returns has settled. */
export async function asPartOf<T>(waiter: Waiter, work: () => T | Promise<T>): Promise<T> {
  return partOf(waiter, work);
}

/**
 * The same for work that may be over at once: then what it returns or throws is returned or thrown at once. Otherwise
 * it is among what is under way until it has settled.
 */
export function partOf<T>(waiter: Waiter, work: () => T | Promise<T>, underWay?: Set<Promise<void>>): T | Promise<T> {
  const part: Part = { waiter, parent: PARTS.getStore(), isOver: false };
  return PARTS.run(part, runPart<T>, part, work, underWay);
}

function runPart<T>(part: Part, work: () => T | Promise<T>, underWay?: Set<Promise<void>>): T | Promise<T> {
  let isLater = false;
  try {
    const value = work();
    if (!isThenable(value)) return value;
    isLater = true;
    const over = settled(part, value as Promise<T>);
    if (underWay !== undefined) keep(underWay, over);
    return over;
  } finally {
    if (!isLater) end(part);
  }
}

function keep(underWay: Set<Promise<void>>, over: Promise<unknown>): void {
  const done = (): void => void underWay.delete(running);
  const running: Promise<void> = over.then(done, done);
  underWay.add(running);
}

async function settled<T>(part: Part, value: Promise<T>): Promise<T> {
  try {
    return await value;
  } finally {
    end(part);
  }
}

/** Its timers and listeners live on. They are part of nothing, and keep none of the parts before alive. */
function end(part: Part): void {
  part.isOver = true;
  part.parent = undefined;
}

/** Runs what nobody here waits for, such as a call of another node. */
export function outside<T>(work: () => T): T {
  return PARTS.getStore() === undefined ? work() : PARTS.run(undefined, work);
}

/** Runs a call in a context of its own, in which only what waits for it is known. */
export function apart<T>(work: () => T): T {
  const part = PARTS.getStore();
  return part === undefined ? afresh(work) : afresh(() => PARTS.run(part, work));
}

/** Those that end, or start, only after the code that runs now: its own instance first, then those that called it. */
export function waiters(): Waiter[] {
  const found: Waiter[] = [];
  for (let part = PARTS.getStore(); part !== undefined; part = part.parent) if (!part.isOver) found.push(part.waiter);
  return found;
}

/** The names of the {@link waiters}, each once, nearest first, if any: what travels with a call to another node. */
export function chain(): string[] | undefined {
  if (PARTS.getStore() === undefined) return undefined;
  const names = new Set(waiters().map(({ spec }) => spec.name));
  return names.size === 0 ? undefined : [...names].slice(0, MAX_CHAIN);
}

/** Runs a call of another node as part of the processes that wait for it there. */
export function onBehalfOf<T>(names: readonly string[], work: () => T | Promise<T>): T | Promise<T> {
  if (names.length === 0) return outside(work);
  const enter = (at: number): T | Promise<T> => {
    const name = names[at];
    if (name === undefined) return work();
    return partOf({ spec: { name }, waitsFor: new Map(), isElsewhere: true }, () => enter(at - 1));
  };
  return outside(() => enter(names.length - 1));
}

/** How often it is looked whether what is waited for waits for the process itself. */
const CHECK_EVERY_MS = 250;

/** One wait of the code that runs now for a process that has no owner, or whose owner has to let go of it. */
export class Wait {
  readonly #waiters = waiters();
  #name: string | undefined;
  #checkedAt = -Infinity;

  /** @param check throws when the wait is in vain. */
  constructor(private readonly check: (name: string) => Promise<void>) {}

  /**
   * It waits now.
   *
   * @throws CircularWaitError
   */
  async goesOn(name: string): Promise<void> {
    if (this.#waiters.length === 0) return;
    if (this.#name !== name) {
      this.end();
      this.#name = name;
      for (const { waitsFor } of this.#waiters) waitsFor.set(name, (waitsFor.get(name) ?? 0) + 1);
    }
    const now = performance.now();
    if (now - this.#checkedAt < CHECK_EVERY_MS) return;
    this.#checkedAt = now;
    await this.check(name);
  }

  /** It waits no more. */
  end(): void {
    const name = this.#name;
    if (name === undefined) return;
    this.#name = undefined;
    for (const { waitsFor } of this.#waiters) {
      const count = (waitsFor.get(name) ?? 1) - 1;
      if (count > 0) waitsFor.set(name, count);
      else waitsFor.delete(name);
    }
  }
}
