// The start of a node waits for what it owns, and not for what another node owns; several applications on real Redis.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { Callable, InjectSingleton, Partitioned, ProcessManager, type Remote, Singleton } from 'nestjs-foundation';
import { startRedis } from '../support/redis-server.js';
import { boot, type Booted, CapturedLog, closeAll, onOwnRedis } from './fixture.js';

let url: string;
let appName: string;
onOwnRedis(
  (ground) =>
    ({
      server: { url },
      appName,
    } = ground),
);

@Singleton({ name: 'feed' })
class Feed {
  @Callable()
  last(): number {
    return 42;
  }
}

@Partitioned({ partitions: 8 })
class Parts {}

class Shop {
  constructor(@InjectSingleton(Feed) readonly feed: Remote<Feed>) {}
}

const states = async ({ app }: Booted): Promise<string[]> =>
  [...new Set((await app.get(ProcessManager).list()).map(({ state }) => state))].sort();

describe('init() of a node of a cluster', () => {
  it('resolves when what it owns runs', async () => {
    const first = await boot(url, appName, [Feed, Parts, Shop]);
    expect(await states(first)).toEqual(['running']);
    expect(await first.app.get(Shop).feed.last()).toBe(42);
    const second = await boot(url, appName, [Feed, Parts, Shop]);
    expect(await second.app.get(Shop).feed.last()).toBe(42);
  });

  it('also on a Redis that has just lost its data, where nothing may run for as long as a lease', async () => {
    const fresh = await startRedis();
    try {
      const first = await boot(fresh.url, appName, [Feed, Parts]);
      expect(await states(first)).toEqual(['running']);
    } finally {
      await closeAll();
      await fresh.stop();
    }
  });

  it('does not wait for what another node owns, which takes its time to start', async () => {
    let isOver = false;
    @Singleton({ name: 'slow' })
    class Slow {
      async onProcessStart(): Promise<void> {
        while (!isOver) await sleep(20);
      }
    }
    const log = CapturedLog.install();
    await boot(url, appName, [Slow], { startupTimeout: 100 });
    expect(log.lines.join('\n')).toContain('The application starts while processes of it are still starting: slow');
    const { length } = log.lines;
    try {
      // Without an end: it would wait for the whole hour.
      const second = await boot(url, appName, [Slow], { startupTimeout: '1h' });
      expect(await states(second)).toEqual(['starting']);
      expect(log.lines.slice(length).join('\n')).not.toContain('still starting');
    } finally {
      isOver = true;
    }
  });
});
