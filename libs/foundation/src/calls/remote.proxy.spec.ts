import 'reflect-metadata';
import { Console } from 'node:console';
import { PassThrough } from 'node:stream';
import { inspect, isDeepStrictEqual } from 'node:util';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CallRouter } from './call.router.js';
import { remote, remoteCalls } from './remote.proxy.js';

class Feed {
  price(_symbol: string): number {
    return 5;
  }
  reset(): void {}
  onProcessStart(): void {}
}

const callee = { name: 'feed', type: Feed };

describe('remote', () => {
  const call = jest.fn<CallRouter['call']>();
  const cast = jest.fn<CallRouter['cast']>();
  const calls = { call, cast } as unknown as CallRouter;
  const feed = () => remote<Feed>(calls, callee);
  const property = (name: string | symbol) => (feed() as unknown as Record<string | symbol, unknown>)[name];

  beforeEach(() => {
    call.mockReset().mockResolvedValue('answer');
    cast.mockReset().mockResolvedValue(undefined);
  });

  it('makes a call of every method, with its arguments and its answer', async () => {
    await expect(feed().price('EUR')).resolves.toBe('answer');
    await feed().reset();
    expect(call.mock.calls).toEqual([
      [callee, 'price', ['EUR'], {}],
      [callee, 'reset', [], {}],
    ]);
  });

  it('passes a failure on', async () => {
    const error = new Error('refused');
    call.mockRejectedValue(error);
    await expect(feed().price('EUR')).rejects.toBe(error);
  });

  it('hands its options on', async () => {
    const options = { timeout: 50 };
    await remote<Feed>(calls, callee, options).price('EUR');
    expect(call).toHaveBeenCalledWith(callee, 'price', ['EUR'], options);
  });

  it('has one function for each method, which needs no object', async () => {
    const one = feed();
    const { price } = one;
    expect(one.price).toBe(price);
    expect(one.price).not.toBe(one.reset);
    await price('EUR');
    expect(call).toHaveBeenCalledTimes(1);
  });

  it('does not call when it is inspected', () => {
    expect(typeof feed().price).toBe('function');
    expect('price' in feed()).toBe(false);
    expect(Object.keys(feed())).toEqual([]);
    expect({ ...feed() }).toEqual({});
    expect(call).not.toHaveBeenCalled();
  });

  it('is no promise, so that it can be returned from an async function', async () => {
    const one = feed();
    expect(property('then')).toBeUndefined();
    await expect((async () => one)()).resolves.toBe(one);
    await expect(Promise.resolve(one)).resolves.toBe(one);
    expect(call).not.toHaveBeenCalled();
  });

  it.each([
    ...['then', 'catch', 'finally', 'toJSON', 'constructor', 'prototype', '__proto__', 'asymmetricMatch', 'inspect'],
    ...['onModuleInit', 'onModuleDestroy', 'onApplicationBootstrap', 'onApplicationShutdown'],
    'beforeApplicationShutdown',
  ])('has no %s', (name) => {
    expect(property(name)).toBeUndefined();
  });

  it.each([
    ...[Symbol.toPrimitive, Symbol.toStringTag, Symbol.iterator, Symbol.asyncIterator, inspect.custom],
    Symbol('any'),
  ])('has no %p', (symbol) => {
    expect(property(symbol)).toBeUndefined();
  });

  it('is an empty object for JSON', () => {
    expect(JSON.stringify(feed())).toBe('{}');
    expect(JSON.stringify({ feed: feed(), list: [feed()] })).toBe('{"feed":{},"list":[{}]}');
    expect(call).not.toHaveBeenCalled();
  });

  it('can be logged', () => {
    const stdout = new PassThrough();
    new Console({ stdout, stderr: stdout }).log(feed(), { feed: feed() }, [feed()]);
    const text = String(stdout.read());
    expect(text).toContain('{}');
    expect(text).not.toMatch(/Promise|undefined/);
    expect(inspect(feed(), { depth: 9, showHidden: true, showProxy: true })).toEqual(expect.any(String));
    expect(call).not.toHaveBeenCalled();
  });

  it('can be compared', () => {
    const one = feed();
    expect(one).toBe(one);
    expect(isDeepStrictEqual(one, feed())).toBe(true);
    expect(one).not.toEqual({ price: 5 });
    expect(call).not.toHaveBeenCalled();
  });

  it.each<[string, (one: unknown) => string]>([
    ['a template', (one) => `${one as string}`],
    ['String', (one) => String(one)],
    ['a sum', (one) => (one as string) + ''],
  ])('sends no call when it is made a text by %s', (_how, text) => {
    try {
      text(feed());
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError);
    }
    expect(call).not.toHaveBeenCalled();
  });

  it('cannot be changed', () => {
    const one = feed() as unknown as Record<string, unknown>;
    expect(() => (one['price'] = 5)).toThrow(TypeError);
    expect(() => Object.defineProperty(one, 'x', { value: 1 })).toThrow(TypeError);
    expect(typeof one['price']).toBe('function');
  });

  describe('remoteCalls', () => {
    const ways = () => remoteCalls<Feed>(calls, callee, { timeout: 9 });

    it('call, cast and remote', async () => {
      await expect(ways().call('price', 'EUR')).resolves.toBe('answer');
      await expect(ways().cast('price', 'USD')).resolves.toBeUndefined();
      await ways().remote.price('GBP');
      expect(call.mock.calls).toEqual([
        [callee, 'price', ['EUR'], { timeout: 9 }],
        [callee, 'price', ['GBP'], { timeout: 9 }],
      ]);
      expect(cast.mock.calls).toEqual([[callee, 'price', ['USD']]]);
    });

    it.each([['a text'], [null], [7]])('refuses options that are %j', (options) => {
      const refs = remoteCalls({} as CallRouter, { name: 'feed' });
      expect(() => refs.with(options as never)).toThrow(/feed\.with.*expected an object/s);
    });

    it('take options of their own with `with`, which add up and change nothing before', async () => {
      const before = ways();
      const { signal } = new AbortController();
      const after = before.with({ signal }).with({ timeout: 1 });
      await after.call('price', 'EUR');
      await after.remote.price('EUR');
      await before.call('price', 'EUR');
      expect(call.mock.calls.map(([, , , options]) => options)).toEqual([
        { timeout: 1, signal },
        { timeout: 1, signal },
        { timeout: 9 },
      ]);
    });
  });
});
