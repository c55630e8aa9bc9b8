// Carrying calls out: only for the very ownership they were meant for, so many at a time, and nothing twice.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { BadRequestException, Logger } from '@nestjs/common';
import { z } from 'zod';
import { hostileFunctions, hostileValues } from '../../../../test/support/hostile.js';
import { resolve } from '../config/resolve.js';
import { ArgumentError } from '../errors/config.errors.js';
import type { Schema } from '../schemas/payload.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { type CallReply, type CallRequest, decodeCalls } from './call.codec.js';
import { CallServer } from './call.server.js';
import { Callable } from './callable.decorator.js';
import { HandlerGoneError } from './handler.gone.js';

let began: string[];
let finish: Map<string, () => void>;

class Feed {
  @Callable()
  price(symbol: string): string {
    began.push(symbol);
    return `${symbol} 1`;
  }
  @Callable()
  async slow(symbol: string): Promise<string> {
    began.push(symbol);
    await new Promise<void>((done) => finish.set(symbol, done));
    return symbol;
  }
  @Callable()
  huge(): string {
    return 'x'.repeat(5000);
  }
  @Callable()
  fails(): never {
    throw Object.assign(new TypeError('bad'), { code: 'E_BAD' });
  }
  @Callable()
  refuses(): never {
    throw new BadRequestException('no such currency');
  }
  @Callable()
  throws(what: string): never {
    throw hostileValues[what]!();
  }
  @Callable()
  answers(what: string): unknown {
    return hostileValues[what]!();
  }
  @Callable()
  misbehaves(what: string): unknown {
    return hostileFunctions()[what]!();
  }
  @Callable({ args: [z.object({ count: z.coerce.number() }), undefined, z.string().default('none')] })
  take(...given: unknown[]): unknown {
    began.push('take');
    return given;
  }
  @Callable({ args: Array<Schema>(16).fill(z.object({ a: z.string('no'), b: z.string('no') }).prefault({} as never)) })
  takeMany(): void {
    began.push('takeMany');
  }
  @Callable()
  circular(): unknown {
    const value: Record<string, unknown> = {};
    value['self'] = value;
    return value;
  }
  secret(): void {
    began.push('secret');
  }
}

const config = resolve(
  { nodeName: 'n1', calls: { concurrency: 2, queue: 2 }, channels: { maxMessageBytes: 2048 } },
  {},
  { host: 'h', pid: 1 },
);
let lease: { epoch: number; isHeld: () => boolean };
let held: boolean;
let target: object | undefined;
let server: CallServer;

beforeEach(() => {
  Logger.overrideLogger(false);
  began = [];
  finish = new Map();
  held = true;
  target = new Feed();
  lease = { epoch: 5, isHeld: () => held };
  const call = async <T>(work: () => T | Promise<T>): Promise<T> => work();
  const running = (name: string) => (name === 'feed' && target !== undefined ? { target, lease, call } : undefined);
  server = new CallServer({ config, lookups: [{ running }], telemetry: new Telemetry() });
});

const turn = (): Promise<unknown> => new Promise((done) => setImmediate(done));
const read = (answer: string): CallReply => decodeCalls(answer)[0] as CallReply;
const ask = async (method: string, args: unknown[] = [], more: Partial<CallRequest> = {}): Promise<CallReply> =>
  read(
    await server.handle({
      kind: 'call',
      id: 'x',
      from: 'boot',
      process: 'feed',
      epoch: 5,
      method,
      args,
      timeout: 5000,
      ...more,
    }),
  );
const plain = (outcome: string): object => ({ kind: 'reply', id: 'x', outcome });

describe('a call that arrives', () => {
  it('is carried out', async () => {
    expect(await ask('price', ['EUR'])).toEqual({ ...plain('value'), value: 'EUR 1' });
  });

  it('is stale for another epoch, lower or higher, and for what does not run here', async () => {
    for (const more of [{ epoch: 4 }, { epoch: 6 }, { process: 'other' }]) {
      expect(await ask('price', ['EUR'], more)).toEqual(plain('stale'));
    }
    target = undefined;
    expect(await ask('price', ['EUR'])).toEqual(plain('stale'));
    expect(began).toEqual([]);
  });

  it('is refused for what is not marked, whatever it is called', async () => {
    for (const method of ['secret', 'constructor', '__proto__', 'toString', 'missing', '']) {
      expect(await ask(method)).toEqual(plain('not-callable'));
    }
    expect(began).toEqual([]);
  });

  it('brings back what it throws, a result that is too large, and one that JSON cannot write, as errors', async () => {
    expect(await ask('fails')).toEqual({
      ...plain('error'),
      error: { name: 'TypeError', message: 'bad', code: 'E_BAD' },
    });
    expect(await ask('huge')).toMatchObject({ outcome: 'error', error: { name: 'RangeError' } });
    expect(await ask('circular')).toMatchObject({ outcome: 'error', error: { name: 'TypeError' } });
    expect(await ask('price', ['EUR'])).toMatchObject({ outcome: 'value' });
  });

  it('logs with its stack what is a fault, and not what is an answer', async () => {
    const logged: unknown[][] = [];
    const error = (...values: unknown[]) => void logged.push(values);
    Logger.overrideLogger({ log: error, warn: error, error });
    await ask('fails');
    await ask('refuses');
    const stack = expect.stringMatching(/^TypeError: bad\n {4}at /);
    expect(logged).toEqual([['A call of fails() of process "feed" failed: bad', stack, 'Foundation']]);
  });

  it('is carried out, or stale, when the lease ends by the clock between two looks', async () => {
    const call = async <T>(work: () => T | Promise<T>): Promise<T> => work();
    for (let looks = 0; looks < 6; looks++) {
      let left = looks;
      const instance = {
        call,
        lease,
        get target() {
          return left-- > 0 ? new Feed() : undefined;
        },
      };
      const other = new CallServer({
        config,
        lookups: [{ running: () => (left > 0 ? instance : undefined) }],
        telemetry: new Telemetry(),
      });
      const { outcome } = read(await other.handle(requestOf('feed', 'price', 'EUR')));
      expect(['stale', 'value']).toContain(outcome);
    }
  });

  it('is interrupted when the lease was lost while it ran', async () => {
    const call = ask('slow', ['EUR']);
    held = false;
    finish.get('EUR')!();
    expect(await call).toEqual(plain('interrupted'));
  });
});

it('a call is answered in the turn in which its method is over', () => {
  const carryOut = <T>(work: () => T | Promise<T>): T | Promise<T> => work();
  const call = () => Promise.reject(new Error('not asked'));
  const lookups = [{ running: () => ({ target: new Feed(), lease, call, carryOut }) }];
  server = new CallServer({ config, lookups, telemetry: new Telemetry() });
  const answers = ['price', 'fails', 'circular'].map((method) => server.handle(requestOf('feed', method, 'EUR')));
  expect(answers.map((answer) => read(answer as string).outcome)).toEqual(['value', 'error', 'error']);
  // Its place is free again.
  for (let index = 0; index < 10; index++)
    expect(typeof server.handle(requestOf('feed', 'price', 'EUR'))).toBe('string');
});

describe('a call of an instance that ends before the method settles', () => {
  let callers: Set<() => void>;
  let logged: unknown[][];
  beforeEach(() => {
    callers = new Set();
    logged = [];
    const error = (...values: unknown[]) => void logged.push(values);
    Logger.overrideLogger({ log: error, warn: error, error });
    const call = async <T>(work: () => T | Promise<T>): Promise<T> => work();
    const onGivenUp = (heard: () => void) => {
      callers.add(heard);
      return () => void callers.delete(heard);
    };
    const lookups = [{ running: () => ({ target: new Feed(), lease, call, onGivenUp }) }];
    server = new CallServer({ config, lookups, telemetry: new Telemetry() });
  });

  it('is interrupted then, and its place is free for the next', async () => {
    const calls = ['a', 'b', 'c'].map((symbol) => ask('slow', [symbol]));
    await turn();
    expect(began).toEqual(['a', 'b']);
    for (const heard of [...callers]) heard();
    expect(await Promise.all(calls.slice(0, 2))).toEqual([plain('interrupted'), plain('interrupted')]);
    await turn();
    expect(began).toEqual(['a', 'b', 'c']);
    for (const done of finish.values()) done();
    expect(await calls[2]).toMatchObject({ value: 'c' });
    await turn();
    expect([callers.size, logged]).toEqual([0, []]);
  });

  it('leaves nothing behind when it is answered before', async () => {
    expect(await ask('price', ['EUR'])).toMatchObject({ value: 'EUR 1' });
    expect(await ask('fails')).toMatchObject({ outcome: 'error' });
    await turn();
    expect(callers.size).toBe(0);
  });
});

describe('many calls at a time', () => {
  it('run up to a number at once, wait in order up to a limit, and are rejected beyond it', async () => {
    const calls = ['a', 'b', 'c', 'd'].map((symbol) => ask('slow', [symbol]));
    expect(await ask('slow', ['e'])).toEqual(plain('busy'));
    expect(began).toEqual(['a', 'b']);
    finish.get('a')!();
    await calls[0];
    await turn();
    expect(began).toEqual(['a', 'b', 'c']);
    const late = ask('slow', ['f']);
    for (const symbol of ['b', 'c', 'd', 'f']) {
      await turn();
      finish.get(symbol)?.();
    }
    expect(await Promise.all([...calls, late])).toMatchObject(['a', 'b', 'c', 'd', 'f'].map((value) => ({ value })));
    expect(began).toEqual(['a', 'b', 'c', 'd', 'f']);
  });

  it('do not make those of another process wait', async () => {
    const calls = ['a', 'b'].map((symbol) => ask('slow', [symbol]));
    const call = async <T>(work: () => T | Promise<T>): Promise<T> => work();
    const both = new CallServer({
      config,
      lookups: [{ running: () => ({ target: new Feed(), lease, call }) }],
      telemetry: new Telemetry(),
    });
    for (const symbol of ['c', 'd']) void both.handle(requestOf('one', 'slow', symbol));
    await turn();
    expect(read(await both.handle(requestOf('two', 'price', 'EUR')))).toMatchObject({ outcome: 'value' });
    for (const done of finish.values()) done();
    await Promise.all(calls);
  });

  it('are not carried out once their owner has changed while they waited', async () => {
    const calls = ['a', 'b'].map((symbol) => ask('slow', [symbol]));
    const waiting = ask('slow', ['c']);
    lease.epoch = 6;
    for (const symbol of ['a', 'b']) finish.get(symbol)!();
    expect(await waiting).toEqual(plain('stale'));
    await Promise.all(calls);
    expect(began).toEqual(['a', 'b']);
  });

  it('are not carried out once no caller waits for them', async () => {
    const calls = ['a', 'b'].map((symbol) => ask('slow', [symbol]));
    const waiting = ask('slow', ['c'], { timeout: 1 });
    await turn();
    // It waits by now, so its time has begun.
    const since = performance.now();
    while (performance.now() - since < 5) await turn();
    for (const symbol of ['a', 'b']) finish.get(symbol)!();
    expect(await waiting).toEqual(plain('busy'));
    await Promise.all(calls);
    expect(began).toEqual(['a', 'b']);
  });

  it('free their places also when they fail', async () => {
    for (let index = 0; index < 10; index++) expect(await ask('fails')).toMatchObject({ outcome: 'error' });
    expect(await ask('price', ['EUR'])).toMatchObject({ outcome: 'value' });
  });
});

const requestOf = (process: string, method: string, symbol: string): CallRequest => ({
  ...{ kind: 'call', id: 'x', from: 'boot', process, epoch: 5, method, args: [symbol], timeout: 5000 },
});

describe('what a method gives', () => {
  const size = (answer: string): number => Buffer.byteLength(answer);
  const handle = async (method: string, what: string, more: Partial<CallRequest> = {}): Promise<string> =>
    server.handle({
      ...{ kind: 'call', id: 'x', from: 'boot', process: 'feed', epoch: 5 },
      ...{ method, args: [what], timeout: 5000, ...more },
    });

  it.each(Object.keys(hostileValues))('is told to the caller when it throws %s', async (what) => {
    for (const from of ['boot', '']) {
      const answer = await handle('throws', what, { from });
      expect(size(answer)).toBeLessThan(8000);
      expect(read(answer)).toMatchObject({ outcome: 'error', error: { message: expect.any(String) } });
    }
  });

  it.each(Object.keys(hostileValues))('is a value or an error, at once, when it answers %s', async (what) => {
    const answer = await handle('answers', what);
    expect(size(answer)).toBeLessThan(8000);
    expect(['value', 'error']).toContain(read(answer).outcome);
  });

  it.each(Object.keys(hostileFunctions()))('is an error when it answers as %s', async (what) => {
    expect(read(await handle('misbehaves', what)).outcome).toBe('error');
  });

  it('is an error where it is longer than what the caller reads', async () => {
    expect(read(await handle('price', 'x'.repeat(500))).outcome).toBe('value');
    expect(read(await handle('price', 'x'.repeat(500), { longest: 400 }))).toMatchObject({
      outcome: 'error',
      error: { message: expect.stringContaining('more than the 400 of channels.maxMessageBytes') },
    });
  });
});

it('a call whose instance has ended before the method began is for the next owner', async () => {
  const call = () => Promise.reject(new HandlerGoneError('process "feed"'));
  const lookups = [{ running: () => ({ target: new Feed(), lease, call }) }];
  server = new CallServer({ config, lookups, telemetry: new Telemetry() });
  expect(await ask('price', ['a'])).toEqual(plain('stale'));
  expect(began).toEqual([]);
});

describe('arguments with schemas', () => {
  it('are what the schemas make of them, and those after the last as they came', async () => {
    expect(await ask('take', [{ count: '7' }])).toMatchObject({ value: [{ count: 7 }, null, 'none'] });
    expect(await ask('take', [{ count: 7, more: 1 }, 'any', 'note', 4])).toMatchObject({
      value: [{ count: 7 }, 'any', 'note', 4],
    });
  });

  it('that are not are told to the caller, and the method does not run', async () => {
    expect(await ask('take', ['no', 1, 2])).toMatchObject({
      outcome: 'error',
      error: {
        code: 'FOUNDATION_INVALID_ARGUMENTS',
        message: expect.stringMatching(/^feed\.take was called with .* \(argument 1: .*; argument 3: /),
      },
    });
    expect(began).toEqual([]);
  });

  it('are told with twenty errors at most', async () => {
    const { error } = (await ask('takeMany')) as { error: { message: string } };
    expect(error.message.match(/argument \d+/g)).toHaveLength(20);
  });

  it.each([[5], [['x']], [[class NoRules {}]], [Array(17).fill(z.string())]])('must be schemas, not %p', (args) => {
    expect(() => Callable({ args: args as never })({}, 'take', { value: () => 5 })).toThrow(ArgumentError);
  });
});
