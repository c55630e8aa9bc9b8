import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { resolve } from '../../config/resolve.js';
import type { TopologyReport, TopologySelf, TopologyStrategy } from '../../config/topology.strategy.js';
import { translateStatic } from '../../config/translate.js';
import { FoundationConfigError } from '../../errors/config.errors.js';
import { RedisNotFoundError } from '../../errors/connection.errors.js';
import type { EmbeddedStart } from '../../locator/embedded.server.js';
import { type Answer, findRedis, type Search, whoAnswers } from '../../locator/redis.locator.js';
import { eventually } from '../../testing/eventually.js';
import { LocalNode } from '../local.node.js';
import { StaticStrategy } from './static.js';
import { TopologyRunner } from './topology.runner.js';

const TIMES = { retryFrom: 5, retryTo: 20, logEvery: 60_000, stop: 50, gather: 10 };

/** A strategy that a test leads. */
class Led implements TopologyStrategy {
  starts = 0;
  stops = 0;
  selves: TopologySelf[] = [];
  report!: TopologyReport;

  constructor(
    readonly name: string,
    private readonly look: (led: Led) => Promise<void> | void = () => undefined,
  ) {}

  async start(report: TopologyReport, self: TopologySelf): Promise<void> {
    this.starts++;
    this.report = report;
    this.selves.push(self);
    await this.look(this);
  }

  announce(self: TopologySelf): void {
    this.selves.push(self);
  }

  stop(): Promise<void> {
    this.stops++;
    return Promise.resolve();
  }
}

const open: TopologyRunner[] = [];
const warnings: string[] = [];

function configOf(topologies: readonly TopologyStrategy[], more: object = {}) {
  return resolve({ cluster: true, topologies, appName: 'shop', nodeName: 'n1', ...more }, {}, { host: 'h', pid: 1 });
}

function of(...strategies: TopologyStrategy[]): TopologyRunner {
  const config = configOf(strategies);
  const topologies = new TopologyRunner(config, new LocalNode(config), TIMES);
  open.push(topologies);
  return topologies;
}

beforeEach(() => {
  warnings.length = 0;
  const silent = (): void => undefined;
  const warn = (...values: unknown[]): void => void warnings.push(JSON.stringify(values));
  Logger.overrideLogger({ log: silent, error: silent, debug: silent, warn });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.stop()));
});

const until = (what: string, condition: () => boolean, lastSeen: () => unknown) =>
  eventually(condition, { what, lastSeen, timeout: 5000 });

describe('Topologies', () => {
  it('merges what several strategies find, and tells those who listen', async () => {
    const [a, b] = [new Led('a'), new Led('b')];
    const topologies = of(a, b);
    let told = 0;
    topologies.listen(() => told++);
    expect(topologies.expectedNodes()).toBeUndefined();
    await topologies.start();
    await until(
      'Both started',
      () => a.starts === 1 && b.starts === 1,
      () => [a.starts, b.starts],
    );
    a.report.found({ peers: [{ id: '1', node: 'n1', state: 'ready' }] });
    b.report.found({
      peers: [
        { id: 'x', node: 'n1', state: 'ready' },
        { id: 'y', node: 'n2', state: 'not-ready' },
      ],
    });
    expect(topologies.peers().map(({ node }) => node)).toEqual(['n1', 'n2']);
    expect(topologies.expectedNodes()).toBe(2);
    expect(told).toBe(2);
    b.report.found({ redis: 'redis://c' });
    expect(topologies.peers()).toHaveLength(2);
  });

  it('retries a strategy that fails indefinitely, and keeps what it found', async () => {
    const led = new Led('a', (self) => {
      if (self.starts > 1) throw new Error('ECONNREFUSED');
      self.report.found({ peers: [{ id: '1', state: 'ready' }], redis: 'redis://a' });
      self.report.failed(new Error('the watch broke'));
    });
    const topologies = of(led);
    await topologies.start();
    await until(
      'Six starts',
      () => led.starts >= 6,
      () => topologies.status(),
    );
    expect(topologies.peers()).toEqual([{ id: '1', state: 'ready' }]);
    expect(topologies.expectedNodes()).toBe(1);
    expect(topologies.status()[0]).toMatchObject({
      state: 'failing',
      peers: 1,
      redisFound: true,
      error: 'ECONNREFUSED',
    });
    expect(topologies.status()[0]!.failures).toBeGreaterThanOrEqual(5);
    expect(led.stops).toBeGreaterThanOrEqual(5);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('the watch broke');
  });

  it('is well again once a look succeeds', async () => {
    const led = new Led('a', (self) => {
      if (self.starts === 1) throw new Error('not yet');
    });
    const topologies = of(led);
    await topologies.start();
    await until(
      'Looking',
      () => topologies.status()[0]?.state === 'looking',
      () => topologies.status(),
    );
    expect(topologies.status()[0]).not.toHaveProperty('error');
    expect(topologies.status()[0]).toMatchObject({ failures: 1 });
  });

  it('hears nothing of a strategy after its stop, nor of a start that has failed', async () => {
    const led = new Led('a');
    const topologies = of(led);
    await topologies.start();
    await until(
      'Started',
      () => led.starts === 1,
      () => led.starts,
    );
    const first = led.report;
    first.failed(new Error('x'));
    first.found({ peers: [{ id: 'late', state: 'ready' }] });
    first.failed(new Error('again'));
    expect(topologies.peers()).toEqual([]);
    expect(topologies.status()[0]).toMatchObject({ failures: 1 });
    await topologies.stop();
    led.report.found({ peers: [{ id: 'later', state: 'ready' }] });
    expect(topologies.peers()).toEqual([]);
    expect(topologies.status()[0]).toMatchObject({ state: 'stopped' });
  });

  it('counts bad peers, and takes nothing of a report that is no list', async () => {
    const led = new Led('a');
    const topologies = of(led);
    await topologies.start();
    await until(
      'Started',
      () => led.starts === 1,
      () => led.starts,
    );
    led.report.found({ peers: [{ id: '1', state: 'ready' }, { id: 5 }] as never });
    expect(topologies.status()[0]).toMatchObject({ peers: 1, dropped: 1, failures: 0 });
    led.report.found({ peers: 'all of them' as never });
    expect(topologies.status()[0]).toMatchObject({ peers: 1, failures: 1 });
  });

  it('tells a strategy of this node, and again when more is known', async () => {
    const led = new Led('a');
    const topologies = of(led);
    await topologies.start();
    await until(
      'Started',
      () => led.starts === 1,
      () => led.starts,
    );
    topologies.announce({ address: '10.0.0.1:7000', redis: 'redis://r:6379/0' });
    expect(led.selves[0]).toMatchObject({ appName: 'shop', node: 'n1', labels: {} });
    expect(led.selves[0]).not.toHaveProperty('address');
    expect(led.selves[1]).toMatchObject({ node: 'n1', address: '10.0.0.1:7000', redis: 'redis://r:6379/0' });
  });

  it('ends in its time when a strategy does not', async () => {
    const led = new Led('a');
    led.stop = () => new Promise(() => undefined);
    const topologies = of(led);
    await topologies.start();
    await topologies.stop();
    expect(topologies.status()[0]).toMatchObject({ state: 'stopped' });
  });

  it('starts nothing once it was stopped', async () => {
    const led = new Led('a');
    const topologies = of(led);
    await topologies.stop();
    await topologies.start();
    expect(led.starts).toBe(0);
  });
});

describe('findRedis', () => {
  const nowhere: Partial<Search> = { answers: () => Promise.resolve('nothing'), lookMs: 100 };
  const here: Partial<Search> = { answers: () => Promise.resolve('redis'), lookMs: 100 };
  const find = (strategies: TopologyStrategy[], search = nowhere, more: object = {}) =>
    findRedis(configOf(strategies, more), of(...strategies), search);

  it('queries no strategy when Redis is named', async () => {
    const led = new Led('a');
    const config = await find([led], nowhere, { redis: 'redis://named' });
    expect(config.redis).toEqual({ url: 'redis://named' });
    expect(led.starts).toBe(0);
  });

  it('takes what a strategy finds, however late, before this machine, and completes it', async () => {
    const late = new Led('late', (led) => void setTimeout(() => led.report.found({ redis: 'rediss://r:7' }), 10));
    const config = await find([new Led('none'), late], here, { redis: { password: 'hunter2' } });
    expect(config.redis).toEqual({ password: 'hunter2', url: 'rediss://r:7' });
  });

  it('takes this machine when no strategy finds one', async () => {
    const config = await find([new Led('none')], here);
    expect(config.redis).toEqual({ host: '127.0.0.1', port: 6379 });
  });

  it('asks this machine first when only development suggested a strategy', async () => {
    const led = new Led('mdns');
    const config = { ...configOf([led]), detected: true };
    const topologies = of(led);
    const found = await findRedis(config, topologies, here);
    expect(found).toMatchObject({ redis: { host: '127.0.0.1', port: 6379 }, strategy: 'redis' });
    await topologies.start();
    expect(led.starts).toBe(0);
  });

  it('lists what was tried, stops what it started, and shows ways out', async () => {
    const failing = new Led('failing', () => Promise.reject(new Error('ECONNREFUSED')));
    const finding = find([failing, new Led('empty', ({ report }) => report.found({ peers: [] }))]);
    const error = await finding.catch((reason: unknown) => reason as RedisNotFoundError);
    expect(error).toBeInstanceOf(RedisNotFoundError);
    expect((error as RedisNotFoundError).tried).toEqual([
      '"redis" in the options, FOUNDATION_REDIS_URL and REDIS_URL: not set',
      'strategy "failing": ECONNREFUSED',
      'strategy "empty": no Redis among 0 peers',
      '127.0.0.1:6379: no answer',
      expect.stringContaining('an embedded one: only in an application outside production'),
    ]);
    expect(failing.stops).toBeGreaterThan(0);
  });

  it('sends no password to a Redis that only mdns vouches for', async () => {
    const mdns = new Led('mdns', ({ report }) => report.found({ redis: 'redis://r:6379/0' }));
    const error = await find([mdns], nowhere, { redis: { password: 'hunter2' } }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(FoundationConfigError);
    expect(String(error)).not.toContain('hunter2');
    expect(mdns.stops).toBeGreaterThan(0);
    expect((await find([mdns])).redis).toEqual({ url: 'redis://r:6379/0' });
  });

  it('refuses to choose between two', async () => {
    const [a, b] = ['redis://a', 'redis://b'].map((redis) => new Led(redis, ({ report }) => report.found({ redis })));
    await expect(find([a!, b!])).rejects.toThrow(FoundationConfigError);
    await expect(find([a!, b!])).rejects.toThrow(/different Redis servers/);
  });

  it.each(['http://x', 'redis-cluster://', '', 5])('refuses a Redis at %j, and does not show it', async (redis) => {
    const led = new Led('a', ({ report }) => report.found({ redis: redis as string }));
    await expect(find([led])).rejects.toThrow(FoundationConfigError);
  });

  describe('in development', () => {
    const config = { ...configOf([]), embeddedRedis: true };
    const takes = (start: EmbeddedStart, answers: Answer[], more: object = {}) => {
      const embed = jest.fn<Search['embed']>(() => Promise.resolve(start));
      const special: Partial<Search> = {
        answers: () => Promise.resolve(answers.length > 1 ? answers.shift()! : answers[0]!),
        here: { host: '127.0.0.1', port: 7 },
        // Where one answers in the end, it is waited for, however slow the machine is.
        winnerMs: answers.includes('redis') ? 10_000 : 100,
        embed,
      };
      return { embed, found: findRedis({ ...config, ...more }, of(), special) };
    };
    const refusal = (found: Promise<unknown>) =>
      found.then(
        () => 'it was found',
        (error: RedisNotFoundError) => error.tried.at(-1),
      );

    it('starts one here when nothing answers', async () => {
      const { found, embed } = takes({ state: 'listens', pid: 1 }, ['nothing', 'redis']);
      expect((await found).redis).toEqual({ host: '127.0.0.1', port: 7 });
      expect(embed).toHaveBeenCalledWith('127.0.0.1', 7);
    });

    it('takes that of the process which was faster with the port', async () => {
      const { found } = takes({ state: 'port-taken' }, ['nothing', 'something else', 'nothing', 'redis']);
      expect((await found).redis).toEqual({ host: '127.0.0.1', port: 7 });
    });

    it('starts none in a command that only looks, where it may not, or beside one', async () => {
      for (const more of [{ observes: true }, { embeddedRedis: false }]) {
        const { found, embed } = takes({ state: 'listens', pid: 1 }, ['nothing'], more);
        expect(await refusal(found)).toContain('only in an application outside production');
        expect(embed).not.toHaveBeenCalled();
      }
      const { found, embed } = takes({ state: 'listens', pid: 1 }, ['redis']);
      await found;
      expect(embed).not.toHaveBeenCalled();
    });

    it.each<[string, EmbeddedStart, Answer, string]>([
      ['no package', { state: 'not-installed' }, 'nothing', 'npx nest add nestjs-foundation --embedded-redis'],
      ['a start that fails', { state: 'failed', reason: 'EACCES' }, 'nothing', 'did not start: EACCES'],
      [
        'another server at the port',
        { state: 'listens', pid: 1 },
        'something else',
        '127.0.0.1:7 is taken by something that',
      ],
    ])('says what stands in the way: %s', async (_, start, answer, text) => {
      expect(await refusal(takes(start, [answer]).found)).toContain(text);
    });
  });

  it('takes silence for no Redis', async () => {
    // Nothing listens on port 1 of this machine.
    expect(await whoAnswers('127.0.0.1', 1)).toBe('nothing');
  });
});

describe('StaticStrategy', () => {
  it('reports its hosts, ready once their names are known, and keeps polling', async () => {
    let known = new Set(['a', '::1']);
    const lookup = (host: string) => (known.has(host) ? Promise.resolve() : Promise.reject(new Error('ENOTFOUND')));
    const { config } = translateStatic({ hosts: ['a:7000', '[::1]:7', 'b'], redis: 'redis://r', every: 5 });
    const topologies = of(new StaticStrategy(config, lookup));
    await topologies.start();
    expect(await topologies.redis(5000)).toEqual([{ strategy: 'static', url: 'redis://r' }]);
    const states = () => topologies.peers().map(({ address, state }) => `${address} ${state}`);
    expect(states()).toEqual(['a:7000 ready', '[::1]:7 ready', 'b not-ready']);
    expect(topologies.expectedNodes()).toBe(3);
    known = new Set(['b']);
    await until('b alone', () => states().join() === 'a:7000 not-ready,[::1]:7 not-ready,b ready', states);
  });
});
