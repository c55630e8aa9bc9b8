import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ThrottledLog } from './throttled.log.js';

describe('ThrottledLog', () => {
  const warn = jest.fn<(...values: unknown[]) => void>();
  const error = jest.fn<(...values: unknown[]) => void>();
  let now: number;
  let log: ThrottledLog;

  beforeEach(() => {
    Logger.overrideLogger({ log: warn, warn, error });
    warn.mockReset();
    error.mockReset();
    now = 0;
    log = new ThrottledLog(1000, () => now);
  });
  afterEach(() => void Logger.overrideLogger(false));

  it('says a thing once, and later how often it has happened since', () => {
    for (let times = 0; times < 5; times += 1) log.warn('It rains', { where: 'here' });
    expect(warn.mock.calls).toEqual([['It rains (where: here)', { where: 'here' }, 'Foundation']]);
    now = 1000;
    log.warn('It rains', { where: 'there' });
    expect(warn.mock.calls[1]).toEqual([
      'It rains (where: there, count: 5)',
      { where: 'there', count: 5 },
      'Foundation',
    ]);
    now = 2000;
    log.warn('It rains', {});
    expect(warn.mock.calls[2]).toEqual(['It rains', {}, 'Foundation']);
  });

  it('keeps kinds and messages apart, and counts several at once', () => {
    log.error('Lost', { channel: 'a' }, 'a', 3);
    log.error('Lost', { channel: 'b' }, 'b');
    log.error('Found', { channel: 'b' }, 'b');
    log.error('Lost', { channel: 'a' }, 'a', 2);
    expect(error.mock.calls.map(([message, details]) => [message, details])).toEqual([
      ['Lost (channel: a, count: 3)', { channel: 'a', count: 3 }],
      ['Lost (channel: b)', { channel: 'b' }],
      ['Found (channel: b)', { channel: 'b' }],
    ]);
  });

  it('says one line for all kinds beyond those that it remembers, so that no stranger fills the log', () => {
    for (let sender = 0; sender < 100_000; sender += 1) log.warn('Not signed', { sender }, `${sender}`);
    expect(warn.mock.calls).toHaveLength(257);
    now = 1000;
    for (let sender = 0; sender < 1000; sender += 1) log.warn('Not signed', { sender }, `other-${sender}`);
    expect(warn.mock.calls.length).toBeLessThanOrEqual(2 * 257);
    expect(warn.mock.calls.at(-1)![1]).toMatchObject({ count: 99_744 });
  });

  it('says few of the tries that fail, whichever part of the process makes them', () => {
    const debug = jest.fn<(...values: unknown[]) => void>();
    Logger.overrideLogger({ log: warn, warn, error, debug });
    const others = new ThrottledLog(1000, () => now);
    now = 1_000_000;
    for (let times = 0; times < 100; times += 1) {
      for (const each of [log, others]) each.debug('The rows were not read', { error: 'Connection is closed.' });
      log.debug('The view was not fetched', { error: 'Connection is closed.' });
    }
    expect(debug.mock.calls.map(([message]) => message)).toEqual([
      'The rows were not read: Connection is closed.',
      'The rows were not read: Connection is closed.',
    ]);
    now += 1000;
    log.debug('The view was not fetched', { error: 'Connection is closed.' });
    expect(debug.mock.lastCall?.[0]).toBe('The view was not fetched (count: 100): Connection is closed.');
  });

  it('forgets the oldest of many kinds, so that its memory is bounded', () => {
    for (let kind = 0; kind < 1000; kind += 1, now += 10) log.warn('Refused', {}, `${kind}`);
    log.warn('Refused', {}, '999');
    expect(warn).toHaveBeenCalledTimes(1000);
    log.warn('Refused', {}, '0');
    expect(warn).toHaveBeenCalledTimes(1001);
  });
});
