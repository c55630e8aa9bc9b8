// What users throw that is no proper error; each of these has ended a process or grown a record somewhere.

/** As many as there are kinds. */
export const HOSTILE_KINDS = 7;

/** A value to throw or to fail with, by number. */
export function hostileError(number: number): unknown {
  const kinds: (() => unknown)[] = [
    () => Object.assign(new Error('x'), { message: 2n }),
    () => {
      const error = new Error('cyclic') as Error & { self?: unknown };
      error.self = error;
      return Object.assign(error, { message: error });
    },
    () =>
      Object.defineProperty(new Error('x'), 'message', {
        get: () => {
          throw new Error('the message cannot be read');
        },
      }),
    () => new Error('long '.repeat(100_000)),
    () => Symbol('no error at all'),
    () => Object.create(null) as object,
    () => undefined,
  ];
  return kinds[number % HOSTILE_KINDS]!();
}
