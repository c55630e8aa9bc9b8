import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ArgumentError } from '../errors/config.errors.js';
import { LimitError } from '../errors/limit.errors.js';
import {
  checkGatherOptions,
  GatherCount,
  Gathering,
  type GatheringLimits,
  MAX_GATHER_PLACES,
  MAX_GATHERED_CHARACTERS,
  MAX_GATHERS,
} from './gathering.js';

const gatheringOf = (keys: string[], limits: GatheringLimits = {}) =>
  new Gathering(new Map(keys.map((key) => [key, { node: `node ${key}` }])), limits);

describe('Gathering', () => {
  it('is complete when every place has answered', async () => {
    const gathering = gatheringOf(['a', 'b']);
    gathering.answer('b', [2]);
    gathering.answer('a', [1]);
    expect(await gathering.result).toEqual({
      answers: [
        { node: 'node b', value: 2 },
        { node: 'node a', value: 1 },
      ],
      missing: [],
      complete: true,
    });
  });

  it('is over at once where there is nothing to ask', async () => {
    expect(await gatheringOf([]).result).toEqual({ answers: [], missing: [], complete: true });
  });

  it('takes the first answer of a place, and none of a place that was not asked', async () => {
    const gathering = gatheringOf(['a', 'b']);
    gathering.answer('a', [1]);
    gathering.answer('a', ['again']);
    gathering.answer('z', ['unasked']);
    gathering.miss('a', 'left');
    gathering.answer('b', [2]);
    expect((await gathering.result).answers.map(({ value }) => value)).toEqual([1, 2]);
  });

  it('has the answers of a place beside its failure, and is then not complete', async () => {
    const gathering = gatheringOf(['a']);
    gathering.answer('a', [1, 2], { missing: { reason: 'failed', message: 'x'.repeat(5000) } });
    const { answers, missing, complete } = await gathering.result;
    expect(answers.map(({ value }) => value)).toEqual([1, 2]);
    expect(missing).toEqual([{ node: 'node a', reason: 'failed', message: expect.any(String) }]);
    expect(missing[0]!.message!.length).toBeLessThanOrEqual(1001);
    expect(complete).toBe(false);
  });

  it('does not expect a place that says it is not concerned', async () => {
    const gathering = gatheringOf(['a', 'b']);
    gathering.answer('a', []);
    gathering.answer('b', [1]);
    expect(await gathering.result).toMatchObject({ missing: [], complete: true });
  });

  it('resolves as soon as there are enough answers, and says of the rest that it was not awaited', async () => {
    const gathering = gatheringOf(['a', 'b', 'c'], { min: 2 });
    gathering.miss('c', 'left');
    gathering.answer('a', [1]);
    gathering.answer('b', [2]);
    expect(await gathering.result).toMatchObject({ missing: [{ node: 'node c', reason: 'left' }], complete: false });
    const early = gatheringOf(['a', 'b'], { min: 1 });
    early.answer('b', [2]);
    early.answer('a', ['late']);
    expect(await early.result).toEqual({
      answers: [{ node: 'node b', value: 2 }],
      missing: [{ node: 'node a', reason: 'not-awaited' }],
      complete: false,
    });
  });

  it('is not early where more answers are wanted than there are places', async () => {
    const gathering = gatheringOf(['a'], { min: 5 });
    gathering.answer('a', [1]);
    expect((await gathering.result).complete).toBe(true);
  });

  it('keeps answers up to a size', async () => {
    const gathering = gatheringOf(['a', 'b', 'c']);
    gathering.answer('a', ['much'], { size: MAX_GATHERED_CHARACTERS });
    gathering.answer('b', ['more'], { size: 1 });
    gathering.answer('c', [undefined]);
    expect(await gathering.result).toMatchObject({ missing: [{ node: 'node b', reason: 'too-large' }] });
  });

  it('rejects with the reason of its signal, also one that was aborted before', async () => {
    const abort = new AbortController();
    const gathering = gatheringOf(['a'], { signal: abort.signal });
    abort.abort('enough');
    gathering.answer('a', [1]);
    await expect(gathering.result).rejects.toBe('enough');
  });

  it('calls back once when it is over, at once if it is', () => {
    const ended = jest.fn();
    const gathering = gatheringOf(['a']);
    gathering.onEnd(ended);
    gathering.end('closing');
    gathering.end('timeout');
    gathering.fail(new Error('late'));
    expect(ended).toHaveBeenCalledTimes(1);
    gathering.onEnd(ended);
    expect(ended).toHaveBeenCalledTimes(2);
  });

  describe('with a timeout', () => {
    beforeEach(() => void jest.useFakeTimers());
    afterEach(() => void jest.useRealTimers());

    it('says who was late, and leaves no timer behind', async () => {
      const gathering = gatheringOf(['b', 'a', 'c'], { timeoutMs: 50 });
      gathering.answer('c', [1]);
      jest.advanceTimersByTime(50);
      const { missing } = await gathering.result;
      expect(missing).toEqual([
        { node: 'node a', reason: 'timeout' },
        { node: 'node b', reason: 'timeout' },
      ]);
      const quick = gatheringOf(['a'], { timeoutMs: 50 });
      quick.answer('a', [1]);
      expect(jest.getTimerCount()).toBe(0);
    });
  });
});

describe('Gathers', () => {
  it('are so many at a time, and ask so many places', () => {
    const count = new GatherCount();
    const ends = Array.from({ length: MAX_GATHERS }, () => count.begin('gather', 1));
    expect(() => count.begin('gather', 1)).toThrow(LimitError);
    ends[0]!();
    count.begin('gather', MAX_GATHER_PLACES)();
    expect(() => count.begin('gather', MAX_GATHER_PLACES + 1)).toThrow(LimitError);
  });

  it.each([
    [null],
    ['2s'],
    [{ timeout: 0 }],
    [{ timeout: 'soon' }],
    [{ min: 0 }],
    [{ min: 1.5 }],
    [{ min: '2' }],
    [{ signal: {} }],
    [{ minimum: 2 }],
  ])('refuse the options %j', (options) => {
    expect(() => checkGatherOptions('all', options)).toThrow(ArgumentError);
  });
});
