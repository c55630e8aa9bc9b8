import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redialer } from './redialer.js';

describe('Dialing', () => {
  const giveUp = jest.fn();
  const begin = jest.fn(() => giveUp);
  let dialing: Redialer;

  beforeEach(() => {
    jest.useFakeTimers();
    giveUp.mockClear();
    begin.mockClear();
    dialing = new Redialer(begin);
  });
  afterEach(() => void jest.useRealTimers());

  it('dials once, however often it is started', () => {
    dialing.start();
    dialing.start();
    expect(begin).toHaveBeenCalledTimes(1);
    dialing.failed();
    dialing.start();
    expect(begin).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(50);
    expect(begin).toHaveBeenCalledTimes(2);
  });

  it('waits ever longer, up to two seconds, and starts over after a success', () => {
    dialing.start();
    for (let failure = 1; failure <= 20; failure += 1) {
      dialing.failed();
      expect(dialing.failures).toBe(failure);
      jest.advanceTimersByTime(Math.min(2000, 25 * 2 ** (failure - 1) - 1, 999));
      expect(begin).toHaveBeenCalledTimes(failure);
      jest.advanceTimersByTime(2001);
      expect(begin).toHaveBeenCalledTimes(failure + 1);
    }
    dialing.succeeded();
    dialing.failed();
    jest.advanceTimersByTime(50);
    expect(begin).toHaveBeenCalledTimes(22);
  });

  it('stops for good', () => {
    dialing.start();
    dialing.stop();
    expect(giveUp).toHaveBeenCalledTimes(1);
    dialing.failed();
    dialing.start();
    jest.advanceTimersByTime(10_000);
    expect(begin).toHaveBeenCalledTimes(1);
  });
});
