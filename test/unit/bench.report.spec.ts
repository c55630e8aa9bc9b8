// The pure parts of the benchmarks: statistics, tables, targets and the page, from documents that nobody measured.
import { describe, expect, it } from '@jest/globals';
import { Latencies, median, spread } from '../bench/figures.mjs';
import { page } from '../bench/page.mjs';
import { markdown, medians, missing } from '../bench/report.mjs';
import { reached } from '../bench/targets.mjs';

const TITLES = { ioredis: 'raw ioredis, JSON', nats: 'NATS, JSON', 'foundation-direct': 'Foundation, direct' };

/** So many messages in a second. */
function sample(count: number, more: object = {}): object {
  const cpu = { sender: 2e6, receivers: 1e6, broker: undefined };
  return { count, micros: 1e6, lost: 0, others: 0.04, cpu, ...more };
}

function phase(key: string, samples: Record<string, object[]>, better = 'rate'): object {
  const columns = better === 'rate' ? ['rate', 'cpu', 'lost', 'others'] : ['avg', better, 'others'];
  return { key, title: `the phase ${key}`, columns, better, samples };
}

function channels(phases: readonly object[], more: object = {}): object {
  return {
    ...{ scenario: 'channels', part: 'channels 20', title: 'Channels', about: 'one-way messages' },
    ...{ at: '2026-01-02T03:04:05.678Z', commit: 'abc1234', node: 'v20.1.2', reps: 3, seconds: 1, fan: 1 },
    machine: { cores: 2, model: 'A Processor', kernel: 'Linux 6', gigabytes: 24 },
    versions: { foundation: '1.2.3', redis: '7.0.15', packages: { ioredis: '6.0.0' }, peers: { nest: { rxjs: '7' } } },
    ...{ titles: TITLES, skipped: {}, failed: [], interrupted: false, phases },
    ...more,
  };
}

function pageOf(documents: readonly object[], wanted: readonly object[] = []): string {
  return page({ documents, wanted, minutes: 12.3 });
}

const BURST = phase('burst-10000', {
  ioredis: [sample(100), sample(200), sample(400)],
  nats: [sample(50), sample(50), sample(50)],
  'foundation-direct': [sample(200), sample(360), sample(400)],
});
const of = (row: string, documents: readonly object[]): object => {
  const found = reached(documents).find((target) => target.row === row);
  if (found === undefined) throw new Error(`There is no target ${row}`);
  return found;
};

describe('The statistics', () => {
  it('leave out what is no number', () => {
    expect([median([3, undefined, 1, NaN, 2]), spread([3, undefined, 1, NaN])]).toEqual([2, [1, 3]]);
    expect([median([]), spread([undefined])]).toEqual([undefined, undefined]);
  });

  it('keep latencies of the whole of a long run, the average and the most exactly', () => {
    let state = 1;
    const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
    const latencies = new Latencies(1000, random);
    for (let i = 0; i < 50_000; i++) latencies.add(1000);
    for (let i = 0; i < 50_000; i++) latencies.add(3000);
    latencies.add(50_000);
    const { n, avg, p50, p99, max } = latencies.summary()!;
    expect({ n, max, p99 }).toEqual({ n: 100_001, max: 50, p99: 3 });
    expect(avg).toBeCloseTo((50_000 * 1 + 50_000 * 3 + 50) / 100_001, 10);
    expect([1, 3]).toContain(p50);
    latencies.clear();
    expect(latencies.summary()).toBeUndefined();
  });
});

describe('The tables', () => {
  it('have the median, the least and the most, and CPU of each message', () => {
    const row = markdown(channels([BURST]))
      .split('\n')
      .find((line) => line.startsWith('| raw ioredis'));
    expect(row).toBe('| raw ioredis, JSON | 200 | 100 to 400 | 10000 / 5000 / – | 0 | 0.0 |');
  });

  it('have bold cores where others used too many', () => {
    const loud = phase('burst-100', { ioredis: [sample(100, { others: 0.31 })] });
    expect(markdown(channels([loud]))).toContain('| **0.3** |');
  });

  it('say a phase that nobody measured', () => {
    expect(markdown(channels([phase('burst-100', { ioredis: [] })]))).toContain('the phase burst-100\n\nNot measured.');
  });

  it('are summed up for the JSON', () => {
    const { ioredis } = medians({ ioredis: [sample(100), sample(200), sample(400)] });
    expect(ioredis).toMatchObject({ rate: 200, cpu: { sender: 10_000, all: 15_000 }, spread: { rate: [100, 400] } });
  });

  it('name who took no part, what failed, and which repetitions are not there', () => {
    const samples = { ioredis: [sample(1)], nats: [], 'foundation-direct': [sample(1)] };
    const skipped = { nats: 'no nats-server' };
    const failed = [{ peer: 'foundation-direct', phase: 'burst-100', why: 'it ended' }];
    const document = channels([phase('burst-100', samples)], { skipped, failed, interrupted: true });
    expect(missing(document)).toEqual([
      'NATS, JSON took no part: no nats-server.',
      'Foundation, direct failed in burst-100: it ended.',
      'The run was interrupted.',
      'raw ioredis, JSON: 1 of 3 repetitions of burst-100.',
    ]);
  });
});

describe('A target', () => {
  it('is the median of the ratios of the repetitions, not the ratio of the medians', () => {
    const target = of('direct, bursts of 10 KB, against ioredis', [channels([BURST])]);
    expect(target).toMatchObject({ figure: 1.8, range: [1, 2], isMet: true, isQuiet: true, wanted: '≥ 1.8' });
  });

  it('is held against the best of the peers that there are, and names those that there are not', () => {
    const target = of('direct, bursts of 10 KB, against the best other peer', [channels([BURST])]);
    expect(target).toMatchObject({ figure: 7.2, best: 'NATS, JSON' });
    expect(target).toHaveProperty('absent', expect.arrayContaining(['nest-tcp', 'moleculer-redis']));
  });

  it('is not met at less, and not quiet when either side was not', () => {
    const samples = { ioredis: [sample(100, { others: 0.5 })], 'foundation-direct': [sample(179)] };
    const target = of('direct, bursts of 10 KB, against ioredis', [channels([phase('burst-10000', samples)])]);
    expect(target).toMatchObject({ figure: 1.79, isMet: false, isQuiet: false });
  });

  it('takes less as better where it is a time', () => {
    const at = (p50: number): object[] => [sample(1, { latency: { p50 } })];
    const samples = { 'nest-tcp': at(4), 'moleculer-tcp': at(2), 'foundation-direct': at(3) };
    const calls = { ...channels([phase('c1-100', samples, 'p50')]), scenario: 'rpc' };
    const target = of('calls, direct, 100 B one at a time, p50, against the best of Nest TCP, moleculer TCP', [calls]);
    expect(target).toMatchObject({ figure: 1.5, isMet: false });
  });

  it('is never taken from a run with more receivers', () => {
    const target = of('direct, bursts of 10 KB, against ioredis', [channels([BURST], { fan: 3 })]);
    expect(target).toMatchObject({ why: 'channels did not run' });
  });

  it('says why there is no figure', () => {
    const samples = { 'foundation-direct': [], ioredis: [sample(1)] };
    const failed = [{ peer: 'foundation-direct', phase: 'start', why: 'it ended' }];
    const one = of('direct, bursts of 10 KB, against ioredis', [channels([phase('burst-10000', samples)], { failed })]);
    expect(one).toMatchObject({ why: 'Foundation, direct failed in start: it ended' });
    const two = of('direct, bursts of 10 KB, against bare sockets', [channels([BURST])]);
    expect(two).toMatchObject({ why: 'socket was not asked for' });
  });

  it('is what a node adds to an empty application when idle', () => {
    const rows = [
      { title: 'here', transport: 'redis', cpuPercent: 0.5, executed: 11 },
      { title: 'beside', transport: 'redis', cpuPercent: 9, executed: 99 },
      { title: 'here', transport: 'none', cpuPercent: 0.1 },
    ];
    const idle = { scenario: 'idle', rows, others: 0.1 };
    const cpu = of('idle, redis, CPU that a node adds, % of a core', [idle]);
    expect(cpu).toMatchObject({ figure: 0.4, isMet: false, isQuiet: true });
    const commands = of('idle, redis, Redis commands of a node a second', [idle]);
    expect(commands).toMatchObject({ figure: 11, isMet: true });
    const direct = of('idle, direct, Redis commands of a node a second', [idle]);
    expect(direct).toMatchObject({ why: 'the run has no such figure' });
  });
});

describe('The page', () => {
  it('says that it is generated, of what, and when', () => {
    const text = pageOf([channels([BURST])]);
    expect(text).toMatch(/^# Benchmarks\n\n<!-- Written by `npm run bench -- all --report`/);
    for (const part of ['2026-01-02 03:04', 'abc1234', '2 cores, A Processor', 'Linux 6', '24 GB', 'Redis 7.0.15']) {
      expect(text).toContain(part);
    }
    expect(text).toContain('in 12.3 minutes');
  });

  it('has the targets before everything else, met or missed', () => {
    const text = pageOf([channels([BURST])]);
    expect(text).toContain('| direct, bursts of 10 KB, against ioredis | ≥ 1.8 | 1.8 | 1 to 2 | met | 0.0 |');
    expect(text.indexOf('## Targets')).toBeLessThan(text.indexOf('## Channels'));
    expect(text).toContain('**not measured**: burst-100 did not run');
  });

  it('shouts when the cores were not quiet', () => {
    expect(pageOf([channels([BURST])])).toContain('Nothing: others never used more than 0.2 cores.');
    const loud = pageOf([
      channels([phase('burst-100', { ioredis: [sample(1, { others: 1.26 })], nats: [sample(1)] })]),
    ]);
    expect(loud).toContain('**BEWARE');
    expect(loud).toContain('- Channels, Node.js v20.1.2, burst-100: 1 of 2 peers, up to 1.3');
  });

  it('says what is missing, and never leaves it out in silence', () => {
    const wanted = [{ key: 'channels 20' }, { key: 'idle 20', title: 'Idle', why: 'there is none' }];
    const text = pageOf([channels([BURST], { skipped: { socket: 'no reason' } })], wanted);
    expect(text).toContain('- Idle did not run: there is none.');
    expect(text).toContain('took no part: no reason.');
    expect(pageOf([channels([BURST])])).toContain('## Missing\n\nNothing.');
  });

  it('has what nodes cost that do nothing, beside an empty application', () => {
    const rows = [
      { title: 'here', transport: 'redis', cpuPercent: 0.5, turns: 11, switches: 10, sent: 6, executed: 39, rssMb: 95 },
      { title: 'here', transport: 'none', cpuPercent: 0.1, turns: 1, switches: 1, sent: 0, executed: 0, rssMb: 76 },
    ];
    const idle = { scenario: 'idle', part: 'idle 20', title: 'Idle', node: 'v20.1.2', at: '2026', seconds: 40, rows };
    const text = pageOf([channels([BURST]), { ...idle, others: 0.3 }]);
    expect(text).toContain('| a node, redis | 0.5 | 0.4 | 11 | 10 | 6 | 39 | 95 | **0.3** |');
    expect(text).toContain('| an empty Nest application | 0.1 | 0 | 1 | 1 | – | – | 76 | **0.3** |');
    expect(text).toContain('- Idle, Node.js v20.1.2: 0.3');
  });

  it('is there when nothing could be measured', () => {
    const text = pageOf([], [{ key: 'channels 20', title: 'Channels', why: 'no Redis' }]);
    expect(text).toContain('Nothing was measured');
    expect(text).toContain('- Channels did not run: no Redis.');
  });

  it('says that a quick run means nothing', () => {
    expect(pageOf([channels([BURST], { quick: true })])).toContain('its figures mean nothing');
    expect(pageOf([channels([BURST])])).not.toContain('--quick');
  });

  it('has every target of the first Node, also those of what did not run', () => {
    expect(pageOf([channels([BURST])])).toContain('**not measured**: soak did not run');
  });

  it('has the targets of each Node', () => {
    const text = pageOf([channels([BURST]), channels([BURST], { node: 'v24.1.0' })]);
    expect(text).toMatch(/### Node\.js v20\.1\.2: 2 of \d+ met[\s\S]*### Node\.js v24\.1\.0: 2 of \d+ met/);
  });
});
