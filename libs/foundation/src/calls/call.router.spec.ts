// What a caller hears: which attempts are made, against which owner, and which error they end in.
import 'reflect-metadata';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { OwnerRecord } from '../backend/leases/leases.js';
import { resolve } from '../config/resolve.js';
import {
  CallInterruptedError,
  CallRefusedError,
  type CallSubject,
  CallTimeoutError,
  RemoteError,
} from '../errors/call.errors.js';
import { RedisUnavailableError } from '../errors/connection.errors.js';
import { Telemetry } from '../telemetry/telemetry.js';
import type { CallClient } from './call.client.js';
import type { CallReply } from './call.codec.js';
import { CallRouter } from './call.router.js';
import { type CallTarget, subjectOf } from './call.target.js';
import { Callable } from './callable.decorator.js';
import type { OwnerLookup } from './callee.js';
import { asPartOf, type Waiter } from './waiting.js';

class Feed {
  @Callable()
  price(): number {
    return 1;
  }
  @Callable({ idempotent: true, timeout: 300 })
  again(): void {}
  secret(): void {}
}

const config = resolve({ nodeName: 'n1', calls: { timeout: 400 } }, {}, { host: 'h', pid: 1 });
const subject: CallSubject = { processName: 'feed', method: 'price', node: 'n2' };
const owner = (node: string, epoch: number): OwnerRecord => ({
  ...{ name: 'feed', node, bootId: `boot-${node}`, epoch, state: 'running', since: 0 },
});
const reply = (outcome: 'stale' | 'busy' | 'interrupted' | 'not-callable'): CallReply => ({
  kind: 'reply',
  id: '1',
  outcome,
});
const value = (result: unknown): CallReply => ({ kind: 'reply', id: '1', outcome: 'value', value: result });

const running = jest.fn<(name: string) => Promise<OwnerRecord | undefined>>();
const call = jest.fn<CallClient['call']>();
const cast = jest.fn<CallClient['cast']>();
const mark = jest.fn<OwnerLookup['mark']>();
const absence = jest.fn<OwnerLookup['absence']>();
let calls: CallRouter;

beforeEach(() => {
  for (const mock of [running, call, cast, mark, absence]) mock.mockReset();
  absence.mockResolvedValue({ why: 'It waits.', isFinal: false });
  running.mockResolvedValue(owner('n2', 1));
  calls = new CallRouter({
    config,
    backend: { endpoint: 'somewhere:1' },
    registry: { running, mark, absence },
    client: { call, cast },
    telemetry: new Telemetry(),
  });
});

const feed = { name: 'feed', type: Feed };
const asked = (): string[] => call.mock.calls.map(([target]) => `${target.node} ${target.epoch}`);

describe('a call', () => {
  it('goes to the owner and brings back its result; the owner is looked up once', async () => {
    call.mockResolvedValue(value(7));
    expect(await calls.call(feed, 'price', ['EUR'])).toBe(7);
    expect(await calls.call(feed, 'price', ['EUR'])).toBe(7);
    expect(running).toHaveBeenCalledTimes(1);
    expect(call.mock.calls[0]!.slice(1, 3)).toEqual(['price', ['EUR']]);
  });

  it('remembers a bounded number of owners, however many names there ever were', async () => {
    for (let index = 0; index < 10_050; index++) calls.owners.note({ ...owner('n2', 1), name: `p${index}` });
    expect(calls.owners.size).toBe(10_000);
    call.mockResolvedValue(value(7));
    await calls.call({ name: 'p10049' }, 'price', []);
    expect(running).not.toHaveBeenCalled();
    running.mockResolvedValue({ ...owner('n2', 1), name: 'p0' });
    await calls.call({ name: 'p0' }, 'price', []);
    expect(running).toHaveBeenCalledTimes(1);
    expect(calls.owners.size).toBe(10_000);
  });

  it.each(['', 'x'.repeat(401), 7, undefined])(
    'with what no node reads as a method is refused at once: %p',
    async (given) => {
      const method = given as string;
      const at = { ...owner('n2', 1), process: 'feed' } as unknown as CallTarget;
      const all = [calls.call({ name: 'feed' }, method, []), calls.cast({ name: 'feed' }, method, [])];
      for (const sent of [
        ...all,
        calls.call(feed, method, []),
        calls.cast(feed, method, []),
        calls.callAt(at, method, []),
      ]) {
        await expect(sent).rejects.toThrow('the name of a method, a text of 1 to 400 characters');
      }
      for (const reached of [call, cast, running]) expect(reached).not.toHaveBeenCalled();
    },
  );

  it('has the time of the call, of the method, or of the configuration, in this order', async () => {
    call.mockResolvedValue(value(1));
    await calls.call(feed, 'price', [], { timeout: '100ms' });
    await calls.call(feed, 'again', []);
    await calls.call(feed, 'price', []);
    const times = call.mock.calls.map(([, , , { timeout }]) => timeout);
    [100, 300, 400].forEach((most, index) => {
      expect(times[index]).toBeLessThanOrEqual(most);
      expect(times[index]).toBeGreaterThan(most - 100);
    });
  });

  it('is a wait of the process that makes it, from the first answer that none runs until the next is under way', async () => {
    const waiter: Waiter = { spec: { name: 'own' }, waitsFor: new Map() };
    const seen: string[] = [];
    const note = (when: string): void => void seen.push(`${when} ${[...waiter.waitsFor.keys()].join()}`);
    running.mockImplementation(async () => (note('looks'), owner('n2', 1)));
    call.mockImplementation(async () => {
      note('calls');
      // While it pauses before the next attempt.
      if (call.mock.calls.length === 2) setTimeout(() => note('pauses'), 10);
      return call.mock.calls.length < 3 ? reply('stale') : value(7);
    });
    expect(await asPartOf(waiter, () => calls.call(feed, 'price', []))).toBe(7);
    expect(seen).toEqual(['looks ', 'calls ', 'looks feed', 'calls ', 'pauses feed', 'looks feed', 'calls ']);
    expect(waiter.waitsFor.size).toBe(0);
  });

  it('has the time that the row of the process says, where the caller does not have the class', async () => {
    mark.mockReturnValue({ timeout: 200 });
    call.mockResolvedValue(value(1));
    await calls.call({ name: 'feed' }, 'again', []);
    expect(mark).toHaveBeenCalledWith('feed', 'again');
    expect(call.mock.calls[0]![3].timeout).toBeLessThanOrEqual(200);
    expect(call.mock.calls[0]![3].timeout).toBeGreaterThan(100);
  });

  it('is sent once more after an interruption when the row has come to say that it is idempotent', async () => {
    const idempotent = { ...subject, idempotent: true as const };
    call.mockImplementationOnce(async () => {
      mark.mockReturnValue({ idempotent: true });
      throw new CallInterruptedError(idempotent, 'the node left the cluster');
    });
    call.mockResolvedValueOnce(value(2));
    expect(await calls.call({ name: 'feed' }, 'again', [])).toBe(2);
    expect(call.mock.calls[1]![3]).toMatchObject({ idempotent: true });
  });

  it('does not advise the mark that the method has', async () => {
    call.mockResolvedValue(reply('interrupted'));
    const error = await calls.call(feed, 'again', []).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CallInterruptedError);
    expect(String(error)).not.toContain('@Callable');
    const plain = await calls.call(feed, 'price', []).catch((thrown: unknown) => thrown);
    expect(String(plain)).toContain('mark it so: @Callable({ idempotent: true })');
  });

  it('counts the time of a call to a known place from its first attempt, and says the whole in the error', async () => {
    call.mockImplementation(async (_target, _method, _args, { timeout }) => {
      throw new CallTimeoutError(subject, timeout);
    });
    const at = { name: 'service:1', node: 'n2', bootId: 'b', epoch: 1 };
    const since = performance.now() - 200;
    const error = await calls
      .callAt(at, 'again', [], { mark: { timeout: 300 }, since })
      .catch((thrown: unknown) => thrown);
    expect(call.mock.calls[0]![3].timeout).toBeLessThanOrEqual(100);
    expect(error).toMatchObject({ timeoutMs: 300 });
  });

  it.each([-1, 0, NaN, Infinity, 2 ** 31, 'soon', '30d', null])('rejects %p, which is no time', async (timeout) => {
    const options = { timeout: timeout as number };
    call.mockResolvedValue(value(7));
    const price = calls.call(feed, 'price', [], options);
    // What is `null` was left out, as in JSON.
    if (timeout === null) return expect(price).resolves.toBe(7);
    await expect(price).rejects.toMatchObject({ code: 'FOUNDATION_ARGUMENT' });
    expect(call).not.toHaveBeenCalled();
  });

  it('is refused before anything is sent when the class does not mark the method', async () => {
    await expect(calls.call(feed, 'secret', [])).rejects.toMatchObject({ why: 'not-callable' });
    await expect(calls.call(feed, 'constructor', [])).rejects.toMatchObject({ why: 'not-callable' });
    expect(call).not.toHaveBeenCalled();
  });

  it('is refused when its owner says so', async () => {
    call.mockResolvedValueOnce(reply('busy')).mockResolvedValueOnce(reply('not-callable'));
    await expect(calls.call(feed, 'price', [])).rejects.toMatchObject({ why: 'busy' });
    await expect(calls.call({ name: 'feed' }, 'secret', [])).rejects.toMatchObject({ why: 'not-callable' });
    expect(call).toHaveBeenCalledTimes(2);
  });

  it('throws what the method threw', async () => {
    call.mockResolvedValue({ kind: 'reply', id: '1', outcome: 'error', error: { name: 'TypeError', message: 'bad' } });
    const error = await calls.call(feed, 'price', []).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ name: 'TypeError', message: 'bad' });
  });
});

describe('a call to a stale owner', () => {
  it('is sent to the next one, as often as it takes', async () => {
    running.mockResolvedValueOnce(owner('n2', 1)).mockResolvedValueOnce(owner('n2', 1));
    running.mockResolvedValue(owner('n3', 2));
    call.mockResolvedValueOnce(reply('stale')).mockResolvedValueOnce(reply('stale')).mockResolvedValue(value(1));
    expect(await calls.call(feed, 'price', [])).toBe(1);
    expect(asked()).toEqual(['n2 1', 'n2 1', 'n3 2']);
  });

  it('is refused once its time is over', async () => {
    call.mockResolvedValue(reply('stale'));
    await expect(calls.call(feed, 'price', [], { timeout: 120 })).rejects.toMatchObject({ why: 'not-running' });
  });

  it('waits for an owner while there is none, and is rejected when none comes', async () => {
    running.mockResolvedValueOnce(undefined);
    call.mockResolvedValue(value(1));
    expect(await calls.call(feed, 'price', [])).toBe(1);
    running.mockResolvedValue(undefined);
    await expect(calls.call({ name: 'other' }, 'price', [], { timeout: 60 })).rejects.toMatchObject({
      why: 'not-running',
    });
  });

  it('looks up the owner again after a timeout: it may be frozen, and another node the owner since', async () => {
    call.mockRejectedValueOnce(new CallTimeoutError(subject, 10)).mockResolvedValue(value(1));
    await expect(calls.call(feed, 'price', [])).rejects.toThrow(CallTimeoutError);
    running.mockResolvedValue(owner('n3', 2));
    await calls.call(feed, 'price', []);
    expect(asked()).toEqual(['n2 1', 'n3 2']);
  });
});

describe('a call that is interrupted', () => {
  it('is not sent again', async () => {
    call.mockRejectedValue(new CallInterruptedError(subject, 'the node left the cluster'));
    await expect(calls.call(feed, 'price', [])).rejects.toThrow(CallInterruptedError);
    expect(call).toHaveBeenCalledTimes(1);
    call.mockResolvedValue(reply('interrupted'));
    await expect(calls.call(feed, 'price', [])).rejects.toThrow('its instance ended while the method ran');
    expect(call).toHaveBeenCalledTimes(2);
  });

  it('is sent once more when the method is idempotent, to the owner of then', async () => {
    running.mockResolvedValueOnce(owner('n2', 1)).mockResolvedValue(owner('n3', 2));
    call.mockResolvedValueOnce(reply('interrupted')).mockResolvedValueOnce(value(1));
    expect(await calls.call(feed, 'again', [])).toBe(1);
    expect(asked()).toEqual(['n2 1', 'n3 2']);
    call.mockResolvedValue(reply('interrupted'));
    running.mockResolvedValue(owner('n4', 3));
    await expect(calls.call(feed, 'again', [])).rejects.toThrow(CallInterruptedError);
    expect(call).toHaveBeenCalledTimes(4);
  });

  it('is not sent again to the instance that has ended, as long as its record stays', async () => {
    for (let looks = 0; looks < 3; looks++) running.mockResolvedValueOnce(owner('n2', 1));
    running.mockResolvedValue(owner('n2', 2));
    call.mockResolvedValueOnce(reply('interrupted')).mockResolvedValueOnce(value(1));
    expect(await calls.call(feed, 'again', [])).toBe(1);
    expect(asked()).toEqual(['n2 1', 'n2 2']);
  });

  it('is never said to be refused, whatever becomes of the second attempt, because the first may have been carried out', async () => {
    running.mockResolvedValueOnce(owner('n2', 1)).mockResolvedValue(owner('n3', 2));
    call.mockResolvedValueOnce(reply('interrupted')).mockResolvedValueOnce(reply('busy'));
    await expect(calls.call(feed, 'again', [])).rejects.toThrow(CallInterruptedError);
    expect(call).toHaveBeenCalledTimes(2);
    call.mockResolvedValueOnce(reply('interrupted')).mockResolvedValue(reply('stale'));
    await expect(calls.call(feed, 'again', [], { timeout: 100 })).rejects.toThrow(CallInterruptedError);
    call.mockReset().mockResolvedValueOnce(reply('interrupted'));
    running.mockResolvedValueOnce(owner('n2', 1)).mockResolvedValue(undefined);
    await expect(calls.call(feed, 'again', [], { timeout: 100 })).rejects.toThrow(CallInterruptedError);
  });
});

describe('a call to what has no owner', () => {
  it('is refused at once when it stays down until a command, and says which', async () => {
    running.mockResolvedValue(undefined);
    absence.mockResolvedValue({ why: 'It is stopped; restart("feed") starts it again.', isFinal: true });
    const began = performance.now();
    const refused = calls.call(feed, 'price', [], { timeout: 60_000 });
    await expect(refused).rejects.toMatchObject({ why: 'not-running' });
    await expect(refused).rejects.toThrow(
      'was refused (no node runs it). It was not carried out. It is stopped; restart("feed") starts it again.',
    );
    await expect(calls.cast(feed, 'price', [])).rejects.toMatchObject({ why: 'not-running' });
    expect(performance.now() - began).toBeLessThan(50_000);
    expect(call).not.toHaveBeenCalled();
  });

  it('waits for an owner otherwise, and says in the end why there is none', async () => {
    running.mockResolvedValue(undefined);
    await expect(calls.call(feed, 'price', [], { timeout: 100 })).rejects.toThrow('It was not carried out. It waits.');
    running.mockResolvedValueOnce(undefined).mockResolvedValue(owner('n2', 1));
    call.mockResolvedValue(value(1));
    expect(await calls.call(feed, 'price', [])).toBe(1);
  });

  it('goes on waiting when Redis does not say why', async () => {
    running.mockResolvedValueOnce(undefined).mockResolvedValue(owner('n2', 1));
    absence.mockRejectedValueOnce(new Error('Connection is closed.'));
    call.mockResolvedValue(value(1));
    expect(await calls.call(feed, 'price', [])).toBe(1);
  });
});

describe('a call while Redis is away', () => {
  it('goes on looking for the owner, and is sent when Redis is back', async () => {
    running.mockRejectedValueOnce(new Error('Connection is closed.'));
    call.mockResolvedValue(value(1));
    expect(await calls.call(feed, 'price', [])).toBe(1);
  });

  it('ends in its own time, not in that of the connection, and says why', async () => {
    running.mockReturnValue(new Promise(() => undefined));
    await expect(calls.call(feed, 'price', [], { timeout: 50 })).rejects.toThrow(RedisUnavailableError);
    expect(call).not.toHaveBeenCalled();
  });

  it('says what the cluster said last, not what a look-up without time left came to', async () => {
    running.mockResolvedValueOnce(undefined).mockReturnValue(new Promise(() => undefined));
    await expect(calls.call(feed, 'price', [], { timeout: 80 })).rejects.toMatchObject({ why: 'not-running' });
    // An owner that is none any more is an answer as well.
    running
      .mockReset()
      .mockResolvedValueOnce(owner('n2', 1))
      .mockReturnValue(new Promise(() => undefined));
    call.mockResolvedValueOnce(reply('stale'));
    await expect(calls.call(feed, 'price', [], { timeout: 80 })).rejects.toMatchObject({ why: 'not-running' });
    running
      .mockReset()
      .mockResolvedValueOnce(owner('n2', 1))
      .mockReturnValue(new Promise(() => undefined));
    cast.mockResolvedValueOnce(false);
    await expect(calls.cast(feed, 'price', [])).rejects.toMatchObject({ why: 'not-running' });
  });

  it('says that Redis went away where it did, and that it came back', async () => {
    running.mockResolvedValueOnce(undefined).mockRejectedValue(new Error('Connection is closed.'));
    await expect(calls.call(feed, 'price', [], { timeout: 200 })).rejects.toThrow(/Connection is closed/);
    running
      .mockReset()
      .mockResolvedValueOnce(undefined)
      .mockReturnValue(new Promise(() => undefined));
    await expect(calls.call(feed, 'price', [], { timeout: 700 })).rejects.toThrow(RedisUnavailableError);
    running.mockReset().mockRejectedValueOnce(new Error('Connection is closed.')).mockResolvedValue(undefined);
    await expect(calls.call(feed, 'price', [], { timeout: 200 })).rejects.toMatchObject({ why: 'not-running' });
  });

  it('says how long the call was allowed to take, not its last attempt', async () => {
    call.mockResolvedValueOnce(reply('stale')).mockRejectedValue(new CallTimeoutError(subject, 3));
    await expect(calls.call(feed, 'price', [], { timeout: 200 })).rejects.toMatchObject({ timeoutMs: 200 });
  });
});

describe('a call with a signal', () => {
  it('ends with the reason of the signal, before it is sent and after', async () => {
    const aborted = AbortSignal.abort(new Error('changed my mind'));
    await expect(calls.call(feed, 'price', [], { signal: aborted })).rejects.toThrow('changed my mind');
    expect(call).not.toHaveBeenCalled();
    call.mockRejectedValue(new Error('changed my mind'));
    await expect(calls.call(feed, 'price', [])).rejects.toThrow('changed my mind');
  });

  it.each([[null], [false], ['user left'], [{ code: 7 }]])(
    'ends with exactly %p, also while Redis hangs',
    async (reason) => {
      running.mockReturnValue(new Promise(() => undefined));
      const abort = new AbortController();
      const waiting = calls.call(feed, 'price', [], { signal: abort.signal, timeout: 10_000 });
      abort.abort(reason);
      await expect(waiting).rejects.toBe(reason);
    },
  );

  it('stops waiting for an owner', async () => {
    running.mockResolvedValue(undefined);
    const abort = new AbortController();
    const waiting = calls.call(feed, 'price', [], { signal: abort.signal, timeout: 10_000 });
    abort.abort(new Error('changed my mind'));
    await expect(waiting).rejects.toThrow('changed my mind');
  });
});

describe('a cast', () => {
  it('is sent to the next owner when it reached none, until its time is over', async () => {
    running.mockResolvedValueOnce(owner('n2', 1)).mockResolvedValue(owner('n3', 2));
    cast.mockResolvedValueOnce(false).mockResolvedValueOnce(true);
    await calls.cast(feed, 'price', ['EUR']);
    expect(cast.mock.calls.map(([{ node }]) => node)).toEqual(['n2', 'n3']);
    cast.mockResolvedValue(false);
    await expect(calls.cast(feed, 'price', [])).rejects.toThrow(CallRefusedError);
  });
});

describe('A request of Foundation to another node, which no application can mark', () => {
  const at: CallTarget = { name: 'node:control', node: 'n2', bootId: 'boot-n2', epoch: 1, isInternal: true };
  const about = subjectOf(at, 'undrain');
  it.each<[string, () => unknown, string]>([
    ['nobody listens', () => call.mockResolvedValue(reply('stale')), 'it has ended, or is about to'],
    ['it is unknown there', () => call.mockResolvedValue(reply('not-callable')), 'Bring it to this version'],
    [
      'its node dies',
      () => call.mockRejectedValue(new CallInterruptedError(about, 'it left')),
      'Ask again if members()',
    ],
    ['it takes too long', () => call.mockRejectedValue(new CallTimeoutError(about, 400)), 'Ask again if members()'],
  ])('says what can be done when %s', async (_when, answer, words) => {
    answer();
    const error = await calls.callAt(at, 'undrain', []).catch((each: unknown) => each);
    expect(String(error)).toContain(words);
    expect(String(error)).not.toMatch(/@Callable|list\(\)|idempotent|Raise|no node runs it/);
  });
});
