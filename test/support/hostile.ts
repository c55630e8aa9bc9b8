/**
 * What code of others may throw, answer with, or hand in: each entry breaks something that is easily taken for granted.
 */

const broken = (what: string) => (): never => {
  throw new Error(`${what} was read`);
};

/** An object whose properties throw when they are read. */
function mined<T extends object>(value: T, ...keys: string[]): T {
  for (const key of keys) Object.defineProperty(value, key, { get: broken(key), configurable: true });
  return value;
}

function withEveryTrap(target: object): object {
  const traps = Reflect.ownKeys(Reflect).filter((key) => typeof key === 'string');
  return new Proxy(target, Object.fromEntries(traps.map((trap) => [trap, broken(`trap ${trap}`)])));
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function cyclic(): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  value['self'] = value;
  return value;
}

/** How many characters the largest texts have. */
export const HUGE = 5 * 1024 * 1024;

function ownCause(): Error {
  const error = new Error('x');
  return Object.assign(error, { cause: error });
}

function ring(): AggregateError {
  const error = new AggregateError([], '');
  error.errors.push(error, new Error('inside'));
  return error;
}

/** Name → what makes the value; the large ones cost something. */
export const hostileValues: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  false: () => false,
  zero: () => 0,
  NaN: () => Number.NaN,
  'an empty text': () => '',
  'a text': () => 'user left',
  'a BigInt': () => 7n,
  'a symbol': () => Symbol('mine'),
  'a function': () => broken('a call'),
  'an object': () => ({ code: 7 }),
  'an object without a prototype': () => Object.create(null) as object,
  'a cycle': () => cyclic(),
  'a BigInt inside': () => ({ n: 7n }),
  'a toJSON that throws': () => ({ toJSON: broken('toJSON') }),
  'a toJSON that rejects': () => ({ toJSON: () => Promise.reject(new Error('late')).catch(() => undefined) }),
  'a toString that throws': () => ({ toString: broken('toString'), toJSON: broken('toJSON') }),
  'a text of 5 MB': () => 'x'.repeat(HUGE),
  'a list of a million': () => Array.from({ length: 1_000_000 }, () => 0),
  'control characters': () => 'a\u001b[31mred\u0000\u202eback',
  'a proxy that throws at every trap': () => withEveryTrap({}),
  'a proxy of an error that throws at every trap': () => withEveryTrap(new Error('inside')),
  'a revoked proxy': () => revoked(),
  'an error': () => new Error('it broke'),
  'an error without a message': () => new TypeError(''),
  'an error that throws at every look': () =>
    mined(new Error('x'), 'stack', 'name', 'message', 'code', 'cause', 'toJSON'),
  'an error with a BigInt as its message': () =>
    Object.assign(new Error('x'), {
      message: 7n,
      name: 7n,
      code: 7n,
      stack: 7n,
    }),
  'an error with a cycle as its message': () => Object.assign(new Error('x'), { message: cyclic(), name: cyclic() }),
  'an error with a proxy as its message': () =>
    Object.assign(new Error('x'), {
      message: withEveryTrap({}),
      name: revoked(),
    }),
  'an error of 5 MB': () =>
    Object.assign(new Error('x'.repeat(HUGE)), { name: 'n'.repeat(HUGE), code: 'c'.repeat(HUGE) }),
  'an error with a cause that throws': () => new Error('outer', { cause: withEveryTrap({}) }),
  'an error that is its own cause': () => ownCause(),
  'an AggregateError that holds itself': () => ring(),
  'an AggregateError of a million': () =>
    new AggregateError(
      Array.from({ length: 1_000_000 }, () => 'x'),
      '',
    ),
  'an error with hostile previous errors': () =>
    Object.assign(new Error('x'), {
      previousErrors: [withEveryTrap({}), revoked()],
    }),
  'an error without a prototype': () => Object.setPrototypeOf(new Error('bare'), null) as unknown,
};

/** Name → a function that fails in its own way, whatever it is called with. */
export function hostileFunctions(): Record<string, (...args: unknown[]) => unknown> {
  const wrong = (): never => {
    throw new Error('mine');
  };
  return {
    'one that throws': wrong,
    'one that throws undefined': () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      throw undefined;
    },
    'one that throws a revoked proxy': () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      throw revoked();
    },
    'one that rejects': async () => wrong(),
    'one that rejects with a proxy': () =>
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as others do
      new Promise((_resolve, reject) => reject(withEveryTrap({}))),
    'a thenable whose then cannot be read': () => mined({}, 'then'),
    'a thenable whose then throws': () => ({ then: wrong }),
    'a thenable that rejects twice and then resolves': () => ({
      then: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => {
        reject(new Error('mine'));
        reject(new Error('again'));
        resolve(1);
        wrong();
      },
    }),
    'a promise with a constructor that throws': () => {
      const promise = Promise.resolve();
      return Object.defineProperty(promise, 'constructor', { get: broken('constructor') });
    },
    'a proxy that throws at every trap': () => withEveryTrap({}),
    'a revoked proxy': () => revoked(),
  };
}

/** A promise that neither resolves nor rejects, as a thenable. */
export const neverThen = { then: (): void => undefined };
