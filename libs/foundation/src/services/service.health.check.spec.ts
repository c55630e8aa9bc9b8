import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { nextStatus, ServiceHealth } from './service.health.check.js';
import type { ServiceStatus } from './service.js';

const run = (checks: string, status: ServiceStatus = 'healthy'): string[] => {
  let state = { status, against: 0 };
  return [...checks].map((check) => (state = nextStatus(state, check === '+')).status);
};

describe('nextStatus', () => {
  it.each([
    ['---', 'unhealthy'],
    ['--', 'healthy'],
    ['--+--', 'healthy'],
    ['--+---', 'unhealthy'],
    ['---+', 'unhealthy'],
    ['---++', 'healthy'],
    ['---+-+', 'unhealthy'],
    ['---+-++', 'healthy'],
    ['---++--', 'healthy'],
  ])('after %s a healthy one is %s', (checks, status) => expect(run(checks).at(-1)).toBe(status));
});

describe('ServiceHealth', () => {
  let health: ServiceHealth;
  let answer: () => boolean | Promise<boolean>;
  const changed = jest.fn<(status: ServiceStatus) => void>();
  const logged: unknown[][] = [];

  beforeEach(() => {
    jest.useFakeTimers();
    logged.length = 0;
    const note = (level: string) => (...values: unknown[]) => void logged.push([level, ...values]); // prettier-ignore
    Logger.overrideLogger({ log: note('log'), warn: note('warn'), error: note('error'), debug: () => undefined });
    changed.mockClear();
    health = new ServiceHealth({ name: 'user_service', node: 'n1', instanceId: 'b.1' }, () => answer(), changed);
  });
  afterEach(() => {
    health.stop();
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });
  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

  it.each<[string, () => boolean | Promise<boolean>]>([
    ['says no', () => false],
    ['rejects', () => Promise.reject(new Error('down'))],
    [
      'throws',
      () => {
        throw new Error('down');
      },
    ],
    ['answers something else', () => 'fine' as never],
    ['never answers', () => new Promise<boolean>(() => undefined)],
  ])('marks one that %s unhealthy at the third time, in the form of the specification', async (_what, bad) => {
    answer = bad;
    await pass(12_100);
    expect(changed).not.toHaveBeenCalled();
    await pass(5000);
    expect(changed.mock.calls).toEqual([['unhealthy']]);
    expect(logged).toEqual([
      [
        'warn',
        expect.stringMatching(/^Service health check failed \(service: user_service, node: n1, .*reason: .+\)$/),
        expect.objectContaining({
          service: 'user_service',
          node: 'n1',
          consecutiveFailures: 3,
          action: 'marking_unhealthy',
        }),
        'Foundation',
      ],
    ]);
    await pass(30_000);
    expect(changed).toHaveBeenCalledTimes(1);
    answer = () => true;
    await pass(17_000);
    expect(changed.mock.calls.at(-1)).toEqual(['healthy']);
  });

  it('asks again only when the last answer has come or is too late', async () => {
    const asked = jest.fn(() => new Promise<boolean>(() => undefined));
    answer = asked;
    void health.look();
    void health.look();
    await pass(1);
    expect(asked).toHaveBeenCalledTimes(1);
    await pass(2000);
    void health.look();
    await pass(1);
    expect(asked).toHaveBeenCalledTimes(2);
    await pass(2000);
  });

  it('heeds no answer that comes after it was stopped', async () => {
    answer = () => false;
    await pass(10_100);
    let say = (_isGood: boolean): void => undefined;
    answer = () => new Promise((resolve) => (say = resolve));
    await pass(5000);
    health.stop();
    say(false);
    await pass(10_000);
    await health.look();
    expect(changed).not.toHaveBeenCalled();
  });
});
