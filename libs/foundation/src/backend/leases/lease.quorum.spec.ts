import { describe, expect, it, jest } from '@jest/globals';
import type { Redis } from 'ioredis';
import { Script } from '../redis/lua.script.js';
import { LeaseQuorum } from './lease.quorum.js';

const script = new Script('foundationTest', 'return 1');
const never = new Promise<never>(() => undefined);
const server = (answer: () => unknown): Redis =>
  ({ foundationTest: jest.fn(async () => answer()) }) as unknown as Redis;
const ask = (...answers: (() => unknown)[]) => new LeaseQuorum(answers.map(server)).run(script, ['k'], ['a']);
const fails = (text: string) => () => Promise.reject(new Error(text));

describe('Masters', () => {
  it.each([
    [1, 1],
    [3, 2],
    [5, 3],
  ])('of %i need %i', (size, majority) => {
    const masters = new LeaseQuorum(Array.from({ length: size }, () => server(() => 1)));
    expect(masters.majority).toBe(majority);
    expect(masters.cannotAgree(size - majority)).toBe(false);
    expect(masters.cannotAgree(size - majority + 1)).toBe(true);
  });

  it('gives the answer of the only one as it is', async () => {
    expect(await ask(() => 'x')).toEqual(['x']);
    await expect(ask(fails('gone'))).rejects.toThrow('gone');
  });

  it('gives all answers in the order of the servers', async () => {
    expect(await ask(async () => await new Promise((done) => setImmediate(() => done(1))), () => 2, () => 3)).toEqual([1, 2, 3]); // prettier-ignore
  });

  it('goes on without a server that fails, and tells an empty answer from none', async () => {
    expect(
      await ask(
        () => null,
        fails('gone'),
        () => undefined,
      ),
    ).toEqual([null, undefined, null]);
  });

  it('does not wait for a server that hangs', async () => {
    expect(await ask(() => 1, () => never, () => 3)).toEqual([1, undefined, 3]); // prettier-ignore
  });

  it('rejects as soon as a majority cannot answer, whatever hangs', async () => {
    await expect(ask(fails('one'), () => never, fails('two'))).rejects.toThrow('two');
  });

  it('rejects with an Error whatever was thrown', async () => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    const odd = () => Promise.reject(undefined);
    await expect(ask(odd, odd, () => 1)).rejects.toThrow('no answer');
  });

  it('does not change what it gave when an answer comes late', async () => {
    let answer!: (value: number) => void;
    const late = new Promise<number>((resolve) => (answer = resolve));
    const answers = await ask(() => 1, () => 2, () => late); // prettier-ignore
    answer(3);
    await late;
    expect(answers).toEqual([1, 2, undefined]);
  });

  it('waits for more than a majority as long as the answers decide nothing', async () => {
    let answer!: (value: number) => void;
    const late = new Promise<number>((resolve) => (answer = resolve));
    const masters = new LeaseQuorum([() => 1, () => 0, () => late].map(server));
    const agree = (answers: readonly unknown[]) => answers.filter((each) => each === 1).length >= 2;
    let done = false;
    const asked = masters.run(script, ['k'], [], agree).finally(() => (done = true));
    await new Promise((resolve) => setTimeout(resolve, 60)); // longer than stragglers are waited for
    expect(done).toBe(false);
    answer(1);
    expect(await asked).toEqual([1, 0, 1]);
  });

  it('waits for a majority after one has failed, and gives what there is when no more can come', async () => {
    const later = (answer: number) => () => new Promise((resolve) => setImmediate(() => resolve(answer)));
    const masters = new LeaseQuorum([fails('gone'), later(1), later(0)].map(server));
    expect(await masters.run(script, ['k'], [], () => false)).toEqual([undefined, 1, 0]);
  });

  it('gives what there is when no more can come', async () => {
    const masters = new LeaseQuorum([() => 1, () => 0, fails('gone')].map(server));
    expect(await masters.run(script, ['k'], [], () => false)).toEqual([1, 0, undefined]);
  });
});
