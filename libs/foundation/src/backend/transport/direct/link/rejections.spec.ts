import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Telemetry } from '../../../../telemetry/telemetry.js';
import { Refusals } from './rejections.js';

describe('Refusals', () => {
  let now: number;
  let events: object[];
  const warn = jest.fn<(...values: unknown[]) => void>();
  let refusals: Refusals;

  beforeEach(() => {
    Logger.overrideLogger({ log: warn, warn, error: warn });
    warn.mockClear();
    now = 0;
    events = [];
    const telemetry = new Telemetry();
    telemetry.attach('transport.refused', (_event, payload) => void events.push(payload));
    refusals = new Refusals(telemetry, (): number => now);
  });
  afterEach(() => void Logger.overrideLogger(false));

  it('counts each, and warns once a minute for each host, with what it left out', () => {
    for (const port of [1, 2, 3]) refusals.note(`10.0.0.1:${port}`, 'wrong-cookie');
    refusals.note('10.0.0.2:1', 'wrong-cookie');
    expect(events).toHaveLength(4);
    expect(warn).toHaveBeenCalledTimes(2);
    now = 60_001;
    refusals.note('10.0.0.1:4', 'wrong-cookie');
    expect(warn).toHaveBeenCalledTimes(3);
    expect(warn.mock.calls[2]).toEqual([
      expect.any(String),
      { address: '10.0.0.1:4', reason: 'wrong-cookie', count: 3 },
      'Foundation',
    ]);
  });

  it('remembers a few hosts only, and warns of all others with one line', () => {
    for (let host = 0; host < 1000; host += 1) refusals.note(`10.0.${host}.1:1`, 'no-handshake');
    refusals.note('10.0.0.1:1', 'no-handshake');
    expect(warn).toHaveBeenCalledTimes(257);
  });
});
