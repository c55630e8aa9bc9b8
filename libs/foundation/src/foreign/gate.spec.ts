import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { hostileFunctions, neverThen } from '../../../../test/support/hostile.js';
import { eventually } from '../testing/eventually.js';
import { called, Gate, unattended } from './gate.js';

// That nothing is left unhandled shows outside of Jest only, whose `process` hears of no rejection:
// integration/foreign.spec.ts.
describe('Gate', () => {
  const error = jest.fn<(...values: unknown[]) => void>();
  const emit = jest.fn<(event: string, payload: object) => void>();
  let gate: Gate;

  beforeEach(() => {
    Logger.overrideLogger({ log: jest.fn(), warn: jest.fn(), error });
    gate = new Gate({ emit });
  });
  afterEach(() => {
    for (const mock of [error, emit]) mock.mockReset();
    Logger.overrideLogger(false);
  });

  const failures = Object.keys(hostileFunctions());
  const make = (name: string) => hostileFunctions()[name]!;
  const wasTold = (times = 1): void => {
    expect(emit).toHaveBeenCalledTimes(times);
    expect(emit).toHaveBeenCalledWith('callback.failed', { callback: 'onGap', error: expect.any(String) });
    expect(error).toHaveBeenCalledTimes(1);
  };

  it.each(failures)('tells %s, and goes on', async (name) => {
    for (let times = 0; times < 3; times += 1) gate.tell('onGap', make(name), 1, 2);
    await eventually(() => emit.mock.calls.length === 3);
    wasTold(3);
  });

  it('says nothing of a listener that does as it should', () => {
    const listener = jest.fn((value: number) => ({ value }));
    gate.tell('onGap', listener, 7);
    gate.tell('onGap', () => neverThen);
    expect(listener).toHaveBeenCalledWith(7);
    expect(emit).not.toHaveBeenCalled();
  });

  it.each(failures)('asks %s, and takes the fallback', (name) => {
    expect(gate.ask('onGap', 'fallback', make(name))).toBe('fallback');
    wasTold();
  });

  it('asks, and takes the answer', () => expect(gate.ask('onGap', 0, (a, b) => a + b, 1, 2)).toBe(3));

  it.each(failures)('waits for %s, and takes the fallback', async (name) => {
    await expect(gate.wait('onGap', 60_000, 'fallback', make(name))).resolves.toBe('fallback');
    wasTold();
  });

  it('waits for an answer, but not indefinitely', async () => {
    await expect(gate.wait('onGap', 60_000, 0, async () => 7)).resolves.toBe(7);
    expect(emit).not.toHaveBeenCalled();
    await expect(gate.wait('onGap', 5, 'fallback', () => neverThen)).resolves.toBe('fallback');
    expect(emit).toHaveBeenCalledWith('callback.failed', { callback: 'onGap', error: 'no answer in 5 ms' });
  });

  it.each(failures)('makes a promise of what %s answers', async (name) => {
    const outcome = await called(make(name)).then(
      () => 'resolved',
      () => 'rejected',
    );
    expect(outcome).toBe('rejected');
  });

  it('lets work of ours go unattended, and says when it failed all the same', async () => {
    unattended('a test', Promise.reject(new Error('ours')));
    await eventually(() => error.mock.calls.length > 0);
    const sentence = expect.stringMatching(/in the background failed, a test; .*: ours$/);
    expect(error).toHaveBeenCalledWith(sentence, expect.stringMatching(/^Error: ours\n/), 'Foundation');
  });

  it('needs no telemetry, and no logger that works', () => {
    Logger.overrideLogger({
      log: make('one that throws'),
      warn: make('one that throws'),
      error: make('one that throws'),
    });
    expect(() => new Gate().tell('onGap', make('one that throws'))).not.toThrow();
  });
});
