// Calls the counters all the time, from this node, and writes down what was asked and what came of it.
import { setTimeout as delay } from 'node:timers/promises';
import type { Type } from '@nestjs/common';
import {
  CallInterruptedError,
  CallRefusedError,
  CallTimeoutError,
  NotReadyError,
  ProcessManager,
  RedisRefusedError,
  RedisUnavailableError,
  type RemoteCalls,
} from 'nestjs-foundation';
import type { HistoryRecorder } from 'nestjs-foundation/testing';
import { type CounterCalls, COUNTERS } from './node.counters.js';

const CALL_EVERY_MS = 80;
const TIMEOUT_MS = 1500;
/** How long the method takes: mostly nothing, sometimes long enough for its owner to lose its lease meanwhile. */
const TAKES_MS = [0, 0, 0, 30, 0, 400];

type Calls = RemoteCalls<CounterCalls>;

/** One of everything that can be called, again and again in the same order; never waits for an answer. */
export async function callForEver(
  manager: ProcessManager,
  recorder: Pick<HistoryRecorder, 'record'>,
  self: { name: string; bootId: string },
  ended: () => boolean,
): Promise<void> {
  const known = new Map<string, Calls>();
  for (let turn = 0; !ended(); turn++) {
    const target = TARGETS[turn % TARGETS.length]!;
    // A lookup fails while Redis is away; a ref that was found once finds its process wherever it is.
    const calls = known.get(target.label) ?? (await target.find(manager).catch(() => undefined));
    if (calls !== undefined) {
      known.set(target.label, calls);
      const method = turn % 3 === 0 ? 'countAgain' : 'count';
      void call(calls, recorder, { method, id: `${self.name}.${self.bootId}.${turn}`, turn });
    }
    await delay(CALL_EVERY_MS);
  }
}

interface Target {
  label: string;
  find(manager: ProcessManager): Promise<Calls | undefined>;
}

const byName = (name: string): Target => ({
  label: name,
  find: async (manager) => (await manager.lookupSingleton<CounterCalls>(name))?.with({}),
});

/** With the class at hand the caller knows which methods are idempotent. */
const byClass = (name: string): Target => ({
  label: name,
  find: async (manager) => (await manager.lookupSingleton(COUNTERS[name] as Type<CounterCalls>))?.with({}),
});

const byKey = (key: string): Target => ({
  label: `shard of ${key}`,
  find: async (manager) => manager.lookupPartitioned(COUNTERS['shard'] as Type<CounterCalls>)?.for(key),
});

const TARGETS: readonly Target[] = [
  ...['ledger', 'mail', 'import'].map(byClass),
  ...['trio#0', 'trio#1', 'trio#2'].map(byName),
  ...['ann', 'bob', 'cleo', 'dora', 'emil', 'fay'].map(byKey),
];

async function call(
  calls: Calls,
  recorder: Pick<HistoryRecorder, 'record'>,
  { method, id, turn }: { method: 'count' | 'countAgain'; id: string; turn: number },
): Promise<void> {
  const idempotent = method === 'countAgain';
  recorder.record('test.call_sent', { id, idempotent, timeoutMs: TIMEOUT_MS });
  const takesMs = TAKES_MS[turn % TAKES_MS.length]!;
  const outcome = await calls
    .with({ timeout: TIMEOUT_MS })
    .call(method, id, takesMs)
    .then(
      ({ epoch, value }) => ({ outcome: 'ok', epoch, value }),
      (error: unknown) => ({ outcome: outcomeOf(error), error: error instanceof Error ? error.message : '' }),
    );
  recorder.record('test.call_done', { id, ...outcome });
}

function outcomeOf(error: unknown): string {
  // Of a node that leaves, before the call was sent: refused, too, and so not carried out.
  if (error instanceof CallRefusedError || error instanceof NotReadyError) return 'refused';
  if (error instanceof CallInterruptedError) return 'interrupted';
  if (error instanceof CallTimeoutError) return 'timeout';
  if (error instanceof RedisUnavailableError || error instanceof RedisRefusedError) return 'unavailable';
  return error instanceof Error ? error.name : 'error';
}
