import { describe, expect, it } from '@jest/globals';
import { ArgumentError } from '../errors/config.errors.js';
import { ContextHook, type ContextOptions, MAX_CONTEXT, MAX_NAME, MAX_VALUES, readContext } from './context.hook.js';

const hook = (options: Partial<ContextOptions>): ContextHook =>
  new ContextHook({ capture: () => undefined, run: (_values, handler) => handler(), ...options });
const capturing = (answer: unknown) => (): unknown => hook({ capture: () => answer as never }).capture('broadcast');
const many = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`name${index}`, '1']));

describe('what travels', () => {
  it('is what capture() says, without what is undefined', () => {
    expect(capturing({ user: 'ada', tenant: undefined })()).toEqual({ user: 'ada' });
    expect([capturing(undefined)(), capturing({})(), capturing({ tenant: undefined })()]).toEqual(Array(3));
    expect(new ContextHook(undefined).capture('broadcast')).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['a text', 'ada'],
    ['a list', ['ada']],
    ['a promise', Promise.resolve({ user: 'ada' })],
    ['a value that is no text', { user: 42 }],
    ['null', null],
    ['a value that is null', { user: null }],
    ['too many values', many(MAX_VALUES + 1)],
    ['a name that is too long', { ['n'.repeat(MAX_NAME + 1)]: '1' }],
    ['too many characters', { one: 'x'.repeat(MAX_CONTEXT / 2), other: 'x'.repeat(MAX_CONTEXT / 2) }],
  ])('is refused, and nothing sent, when it is %s', (_what, answer) => {
    expect(capturing(answer)).toThrow(ArgumentError);
    expect(capturing(answer)).toThrow(/^broadcast: invalid argument "context.capture"/);
  });

  it('is refused when capture() throws, with what it threw', () => {
    const cause = new TypeError('no store');
    const throws = hook({
      capture: () => {
        throw cause;
      },
    });
    expect(() => throws.capture('feed.price')).toThrow(expect.objectContaining({ cause }));
    expect(() => throws.capture('feed.price')).toThrow(/feed\.price.*no store/);
  });

  it('is refused when reading it throws', () => {
    const hostile = {
      get user(): string {
        throw new TypeError('not here');
      },
    };
    expect(capturing(hostile)).toThrow(ArgumentError);
  });

  it('is read with its bounds, and never fails', () => {
    expect({ ...readContext({ user: 'ada', more: 5 }) }).toEqual({ user: 'ada' });
    expect(Object.keys(readContext(many(MAX_VALUES + 5))!)).toHaveLength(MAX_VALUES);
    const long = { one: 'x'.repeat(MAX_CONTEXT), other: 'x'.repeat(MAX_CONTEXT) };
    expect(
      [readContext('x'), readContext(null), readContext([1]), readContext(long)].map((each) => each && { ...each }),
    ).toEqual(Array(4));
    expect(Object.getPrototypeOf(readContext(JSON.parse('{"__proto__":"x"}')))).toBeNull();
  });
});

describe('a handler', () => {
  it('runs within run(), with what came, and answers what it answers', async () => {
    const seen: unknown[] = [];
    const within = hook({
      run: (values, handler) => {
        seen.push(values);
        // Forgets to return it.
        void handler();
      },
    });
    expect(within.run({ user: 'ada' }, () => 7)).toBe(7);
    expect(within.run(undefined, () => 8)).toBe(8);
    await expect(within.run({}, () => Promise.resolve(9))).resolves.toBe(9);
    expect(seen).toEqual([{ user: 'ada' }, {}, {}]);
    expect(new ContextHook(undefined).run({ user: 'ada' }, () => 7)).toBe(7);
  });

  it('runs once, however often it is called, and also later', async () => {
    let count = 0;
    const twice = hook({ run: (_values, handler) => [handler(), handler()] });
    expect(twice.run({}, () => (count += 1))).toBe(1);
    const later = hook({ run: async (_values, handler) => Promise.resolve().then(handler) });
    expect(await later.run({}, () => (count += 1))).toBe(2);
    expect(count).toBe(2);
  });

  it('fails with what it throws, and with what run() throws before it', async () => {
    const fail = (): never => {
      throw new RangeError('of the handler');
    };
    expect(() => hook({}).run({}, fail)).toThrow('of the handler');
    const rejects = hook({ run: async (_values, handler) => Promise.resolve(handler()) });
    await expect(rejects.run({}, () => Promise.reject(new RangeError('later')))).rejects.toThrow('later');
    const before = hook({
      run: () => {
        throw new TypeError('no tenant');
      },
    });
    expect(() => before.run({}, () => 7)).toThrow('no tenant');
    await expect(hook({ run: () => Promise.reject(new TypeError('no tenant')) }).run({}, () => 7)).rejects.toThrow(
      'no tenant',
    );
  });

  it('fails when run() ends without it', async () => {
    expect(() => hook({ run: () => 7 }).run({}, () => 7)).toThrow('context.run ended without a call of its handler');
    await expect(hook({ run: () => Promise.resolve() }).run({}, () => 7)).rejects.toThrow('without a call');
  });

  it('does not run once it was told that it did not', async () => {
    let count = 0;
    let late: (() => unknown) | undefined;
    const leaves = hook({ run: (_values, handler) => void (late = handler) });
    expect(() => leaves.run({}, () => (count += 1))).toThrow('without a call');
    expect(() => late!()).toThrow('context.run called its handler after its end');
    expect(count).toBe(0);
  });
});
