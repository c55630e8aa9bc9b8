// The pure parts of `bench -- sla`, `-- growth` and `-- peers`, from figures that nobody measured.
import { describe, expect, it } from '@jest/globals';
import { exponent, growthPage, plotsOf } from '../bench/growth.page.mjs';
import { plot } from '../bench/plot.mjs';
import { figuresOf, isBeyond, judged, LEVELS, servicePage } from '../bench/service.levels.mjs';
import { SYSTEMS, takeoverPage } from '../bench/takeover.systems.mjs';

const ABOUT = ['Taken on a day', 'Machine: one'];
const WITHIN = Object.fromEntries(
  LEVELS.map(({ key, seed, isLeast }) => [key, { figure: isLeast ? seed * 2 : seed / 100, n: 3, others: 0 }]),
);
const row = (key: string, figures: object) => judged({ ...WITHIN, ...figures }).find((each) => each.key === key)!;

describe('A service level', () => {
  it('is met below its limit, or above it where more is better', () => {
    expect(isBeyond(judged(WITHIN))).toBe(false);
    expect(row('bytes-control', { 'bytes-control': { figure: 1000 } })).toMatchObject({ isMet: false });
    expect(row('throughput-data-redis', { 'throughput-data-redis': { figure: 9999 } })).toMatchObject({ isMet: false });
    expect(isBeyond(judged({ ...WITHIN, 'bytes-control': { figure: 1000 } }))).toBe(true);
  });

  it('that was not measured is not met, and says why', () => {
    const { 'cpu-idle-redis': _left, ...others } = WITHIN;
    expect(isBeyond(judged(others))).toBe(true);
    expect(row('cpu-idle-redis', { 'cpu-idle-redis': { why: 'no Redis' } })).toMatchObject({ why: 'no Redis' });
    expect(row('cpu-idle-redis', { 'cpu-idle-redis': { figure: NaN } })).toMatchObject({ why: 'not measured' });
  });

  it('may miss our own target, which fails nothing', () => {
    const rows = judged({ ...WITHIN, 'formation-5': { figure: 3 } });
    expect(rows.find(({ key }) => key === 'formation-5')).toMatchObject({ isMet: true, isOurs: false });
    expect(isBeyond(rows)).toBe(false);
    expect(row('bytes-discovery', { 'bytes-discovery': { figure: 0 } })).toMatchObject({ isMet: true, isOurs: true });
  });

  it('of messages is what Foundation uses more than bare ioredis', () => {
    const sample = (cpu: number, p99: number) => ({
      ...{ count: 1000, micros: 1e6, lost: 0, others: 0, latency: { avg: p99 / 2, p99 } },
      cpu: { sender: cpu, receivers: cpu },
    });
    const samples = { ioredis: [sample(50_000, 1)], 'foundation-redis': [sample(60_000, 2), sample(70_000, 4)] };
    const phases = ['latency-events', 'cpu-events'].map((key) => ({ key, samples }));
    const figures = figuresOf({ phases });
    expect(figures['cpu-messaging-redis']!.figure).toBeCloseTo(3);
    expect(figures['latency-events-redis-p99']).toMatchObject({ figure: 3, n: 2 });
    expect(row('cpu-messaging-direct', figures)).toHaveProperty('why', 'not measured');
  });

  it('is on the page with its limit, and loudly where it is beyond it', () => {
    const rows = judged({ ...WITHIN, 'bytes-control': { figure: 1234, n: 9, others: 0.5 } });
    const text = servicePage({ rows, about: ABOUT, command: 'npm run bench -- sla', missing: ['a part'] });
    expect(text).toContain(
      '| a control message of 100 B | < 1000 B | – | 1230 B | **beyond the limit** | 9 | **0.5** |',
    );
    expect(text).toContain(`${LEVELS.length - 1} of ${LEVELS.length} are within the limits`);
    for (const part of ['- Taken on a day', '**Missing:** a part', '1 rows were taken beside'])
      expect(text).toContain(part);
  });
});

describe('Growth', () => {
  it('is the power of the number', () => {
    expect(exponent([3, 10, 100].map((x) => [x, 7 * x ** 2]))).toBeCloseTo(2);
    expect(exponent([3, 10, 100].map((x) => [x, 7]))).toBeCloseTo(0);
    expect(exponent([[3, 1]])).toBeUndefined();
    expect(
      exponent([
        [3, 0],
        [10, 5],
        [100, 5],
      ]),
    ).toBeCloseTo(0);
  });

  const nodes = [3, 10, 30].map((count) => ({
    ...{ nodes: count, joinSeconds: 1, joinBytes: count * 1000, restCommands: 25, restIn: 900, restOut: 500 },
    ...{ restCpu: 0.3, restRedisCpu: count / 10, churnCommands: 30, churnOut: 1000, churnCpu: 0.4, failoverMs: 1300 },
    others: 0.5,
  }));

  it('names what one node costs more when there are more, and nothing else', () => {
    const text = growthPage({ rows: { nodes }, about: ABOUT, command: 'x', missing: ['singletons: no Redis.'] });
    expect(text).toContain('by its power of: join B out 1.00.');
    expect(text).toContain('**Missing:** singletons: no Redis.');
    expect(text).toContain('half a core carries about 500 nodes');
    expect(text).toContain('taken beside other work');
    expect(text).not.toContain('## Services');
  });

  it('is drawn, without what is no number', () => {
    const svg = plot({
      title: 'A < B',
      x: 'x',
      y: 'y',
      series: [
        {
          name: 'one',
          points: [
            [1, 1],
            [10, NaN],
            [100, 50],
          ],
        },
      ],
    });
    expect(svg.match(/<circle/g)).toHaveLength(2);
    expect(svg).toContain('A &lt; B');
    expect(svg).not.toContain('NaN');
    expect(plot({ title: 'Nothing', x: 'x', y: 'y', series: [] })).toContain('</svg>');
    expect(Object.keys(plotsOf({ rows: { nodes } }))).toEqual(['growth-nodes', 'growth-failover']);
  });
});

describe('The comparison', () => {
  it('has every system that took part with its settings and version, and says what failed', () => {
    const samples = { foundation: [1.2, 1.4, 1.3], bullmq: [45] };
    const versions = { foundation: '0.1.0', bullmq: '6.7.0' };
    const text = takeoverPage({ samples, failed: { redlock: 'it ended' }, versions, about: ABOUT, command: 'x' });
    expect(text).toContain('| Foundation, singleton 0.1.0 | defaults: `lease.ttl` 1.5 s | 1.3 s | 1.2 to 1.4 s | 3 |');
    expect(text).toContain('| BullMQ, stalled job 6.7.0 | defaults');
    expect(text).toContain('**not measured**: it ended');
    expect(text).not.toContain('| moleculer over Redis');
    expect(text).toContain('Not measured.');
  });

  it('says of each whether its settings are the defaults, what people write, or tuned', () => {
    for (const { how } of SYSTEMS) expect(how).toMatch(/default|as people write it|tuned/);
  });
});
