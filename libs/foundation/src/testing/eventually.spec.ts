import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { eventually } from './eventually.js';

const messageOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    (value) => `It resolved with ${String(value)}`,
    (error: Error) => error.message,
  );

describe('eventually', () => {
  afterEach(() => void jest.useRealTimers());

  it('returns what comes after errors and nothing, and takes 0 and an empty text for something', async () => {
    let looks = 0;
    const look = (): number | undefined => {
      looks += 1;
      if (looks === 1) throw new Error('not yet');
      return looks < 3 ? undefined : 0;
    };
    expect(await eventually(look, { every: 1 })).toBe(0);
    expect(looks).toBe(3);
    expect(await eventually(() => '')).toBe('');
  });

  it('says the last error, or the last value', async () => {
    const thrown = eventually(() => Promise.reject(new RangeError('no node')), { timeout: 20, what: 'A node' });
    expect(await messageOf(thrown)).toBe('A node did not come true in 20 ms. Last seen: RangeError: no node');
    expect(await messageOf(eventually(() => false, { timeout: 0, lastSeen: () => [1] }))).toMatch(/\[\n 1\n\]$/);
  });

  it('says what cannot be written as JSON, and goes on where lastSeen throws', async () => {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    const look = (): never => {
      throw circular; // eslint-disable-line @typescript-eslint/only-throw-error -- what foreign code may do
    };
    expect(await messageOf(eventually(look, { timeout: 5 }))).toMatch(/not come true in 5 ms.*Circular/s);
    expect(await messageOf(eventually(() => null, { timeout: 5, lastSeen: () => ({ size: 5n }) }))).toMatch(/5n/);
    const lastSeen = (): never => {
      throw new Error('no view');
    };
    expect(await messageOf(eventually(() => null, { timeout: 5, lastSeen }))).toMatch(/Last seen: Error: no view$/);
  });

  it('gives up at the deadline a look that does not end', async () => {
    const said = await messageOf(eventually(() => new Promise(() => undefined), { timeout: 20 }));
    expect(said).toMatch(/in 20 ms\. Last seen: what it looks at had not answered$/);
  });

  it('goes by the clock of the machine where a test fakes timers', async () => {
    jest.useFakeTimers();
    expect(await messageOf(eventually(() => false, { timeout: 20, every: 1 }))).toMatch(/in 20 ms/);
  });

  it.each([{ timeout: Number.NaN }, { timeout: Infinity }, { timeout: -1 }, { every: Number.NaN }])(
    'refuses %p, by which it would never end',
    async (options) => {
      await expect(eventually(() => true, options)).rejects.toMatchObject({ code: 'FOUNDATION_ARGUMENT' });
    },
  );
});
