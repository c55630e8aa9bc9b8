/**
 * What a process is given, for the unit test of its class: the test makes the object, and calls its hooks itself.
 * Underneath: the checks and the memory of `fencedEffects` over `LocalLeases`; no node.
 */
import { LocalLeases } from '../../backend/leases/local.leases.js';
import { ArgumentError } from '../../errors/config.errors.js';
import { show } from '../../errors/describe.js';
import { LeaseLostError } from '../../errors/process.errors.js';
import { givenOptions } from '../../foreign/given.options.js';
import type { ProcessContext } from '../../processes/declaration/process.context.js';
import { fencedEffects } from '../../processes/instance/fenced.effects.js';
import { ProcessTasks } from '../../processes/instance/process.tasks.js';
import { Telemetry } from '../../telemetry/telemetry.js';

/** What a test says of the context; all of it may be left out. */
export interface FakeProcessContextOptions {
  /** Default `test`. */
  name?: string;
  /** Default none; copied. */
  args?: readonly unknown[];
  /** Of a replica or a partition. */
  index?: number;
  /** Default `test-node`. */
  node?: string;
  /** What the instance before left. */
  handoff?: unknown;
  /** Default 1. */
  epoch?: number;
}

/** How the process ended by itself, if it did: the first end counts. */
export interface FakeProcessEnd {
  reason: 'crash' | 'complete';
  error?: unknown;
}

/** A {@link ProcessContext} that the test holds the other end of. */
export interface FakeProcessContext extends ProcessContext {
  /** How the process ended by itself: `ctx.fail`, `ctx.complete`, or a task that rejected; `undefined` until then. */
  readonly ended: FakeProcessEnd | undefined;
  /** Aborts the signal, as the stop of a process does, and waits for the tasks of `ctx.run`. */
  stop(): Promise<void>;
  /** Takes the lease away: the signal aborts with a `LeaseLostError`, and fenced writes reject with one. */
  loseLease(): Promise<void>;
}

const OPTIONS = ['name', 'args', 'index', 'node', 'handoff', 'epoch'] as const;

/**
 * Makes the context that `onProcessStart(ctx)` is given.
 *
 * ```ts
 * const ctx = fakeProcessContext({ handoff: 5 });
 * const ledger = new Ledger(prices);
 * await ledger.onProcessStart(ctx);
 * await ctx.stop();
 * ```
 *
 * Its tasks run, its signal aborts and its fenced writes are checked and kept as on a node; nothing restarts what has
 * ended.
 *
 * @throws ArgumentError for what is no such option.
 */
export function fakeProcessContext(options: FakeProcessContextOptions = {}): FakeProcessContext {
  check(options);
  const { name = 'test', args = [], index, node = 'test-node', handoff, epoch = 1 } = options;
  const abort = new AbortController();
  let ended: FakeProcessEnd | undefined;
  let isHeld = true;
  const end = (how: FakeProcessEnd): void => {
    if (ended !== undefined || abort.signal.aborted) return;
    ended = how;
    abort.abort(how.error ?? new Error(`Process "${name}" is stopped (${how.reason}).`));
  };
  const crash = (error: unknown): void => end({ reason: 'crash', error });
  const tasks = new ProcessTasks({ name, signal: abort.signal, hook: (work) => work(), crash });
  const over = async (): Promise<void> => {
    await tasks.settled();
    tasks.end();
  };
  const lease = { epoch, isHeld: () => isHeld, refresh: () => Promise.resolve(epoch) };
  return {
    name,
    args: structuredClone(args),
    index,
    node,
    handoff,
    epoch,
    signal: abort.signal,
    isOwner: () => isHeld && !abort.signal.aborted,
    run: (task) => tasks.run(task),
    fail: crash,
    complete: () => end({ reason: 'complete' }),
    fenced: fencedEffects({ leases: memory(), lease, name, node }),
    get ended() {
      return ended;
    },
    stop: async () => {
      // Tasks begin a moment after `run`, as on a node.
      await Promise.resolve();
      abort.abort(new Error(`Process "${name}" is stopped (stop).`));
      await over();
    },
    loseLease: async () => {
      isHeld = false;
      abort.abort(new LeaseLostError(name, node, epoch, 'abandoned'));
      await over();
    },
  };
}

function memory(): LocalLeases {
  return new LocalLeases({
    node: { name: 'test-node', bootId: 'test' },
    telemetry: new Telemetry(),
    hint: () => undefined,
    ttl: 0,
    wallClock: () => Date.now(),
  });
}

function check(options: unknown): asserts options is FakeProcessContextOptions {
  const call = 'fakeProcessContext';
  const given = givenOptions<Record<(typeof OPTIONS)[number], unknown>>(call, options, OPTIONS);
  const { name = 'test', node = 'test-node', args = [], index = 0, epoch = 1 } = given;
  for (const [option, value] of Object.entries({ name, node })) {
    if (typeof value !== 'string') throw new ArgumentError(call, option, show(value), 'a text');
  }
  if (!Array.isArray(args)) throw new ArgumentError(call, 'args', show(args), 'an array');
  for (const [option, value] of Object.entries({ index, epoch })) {
    const isCount = Number.isSafeInteger(value) && (value as number) >= 0;
    if (!isCount) throw new ArgumentError(call, option, show(value), 'a whole number from 0');
  }
}
