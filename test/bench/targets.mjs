// Pure: the targets of the data plane, and how far the documents of a run are from them.
import { median, rate, spread } from './figures.mjs';
import { judged, precise, QUIET, ratiosOf } from './report.mjs';

const DIRECT = 'foundation-direct';
const REDIS = 'foundation-redis';
const OTHERS = ['nats', 'nest-redis', 'nest-tcp', 'nest-tcp-nodelay', 'moleculer-redis', 'moleculer-tcp'];
const MESH = ['nest-tcp', 'nest-tcp-nodelay', 'moleculer-tcp'];

/**
 * `against` names peers: the figure is the ratio to the best of them, in each repetition, and its median. Without it
 * the figure is what was measured.
 */
const ratio = (row, scenario, phase, own, against, bound, of) => ({ row, scenario, phase, own, against, of, ...bound });
const value = (row, scenario, phase, own, of, bound) => ({ row, scenario, phase, own, of, ...bound });

export const TARGETS = [
  ratio('direct, bursts of 100 B, against bare sockets', 'channels', 'burst-100', DIRECT, ['socket'], { atLeast: 0.6 }),
  ratio('direct, bursts of 1 KB, against bare sockets', 'channels', 'burst-1000', DIRECT, ['socket'], { atLeast: 1 }),
  ratio('direct, bursts of 10 KB, against bare sockets', 'channels', 'burst-10000', DIRECT, ['socket'], {
    atLeast: 1.5,
  }),
  ratio('direct, bursts of 10 KB, against ioredis', 'channels', 'burst-10000', DIRECT, ['ioredis'], { atLeast: 1.8 }),
  ratio('direct, bursts of 10 KB, against the best other peer', 'channels', 'burst-10000', DIRECT, OTHERS, {
    atLeast: 1.8,
  }),
  ...[
    [100, '100 B'],
    [1000, '1 KB'],
  ].map(([size, text]) =>
    ratio(
      `direct, ${text} one a turn, against the best of Nest TCP, moleculer TCP, ioredis`,
      'channels',
      `turn-${size}`,
      DIRECT,
      [...MESH, 'ioredis'],
      { atLeast: 1.2 },
    ),
  ),
  ratio('redis, bursts of 10 KB, against ioredis', 'channels', 'burst-10000', REDIS, ['ioredis'], { atLeast: 1 }),
  ratio('redis, bursts of 1 KB, against ioredis', 'channels', 'burst-1000', REDIS, ['ioredis'], { atLeast: 1.3 }),
  ratio('redis, 1 KB one a turn, against ioredis', 'channels', 'turn-1000', REDIS, ['ioredis'], { atLeast: 1.3 }),
  ...[
    ['100', '100 B', 1.5],
    ['1000', '1 KB', 1.3],
  ].flatMap(([size, text, atLeast]) => [
    ratio(
      `calls, direct, ${text} one at a time, p50, against the best of Nest TCP, moleculer TCP`,
      'rpc',
      `c1-${size}`,
      DIRECT,
      MESH,
      { atMost: 1 },
    ),
    ratio(
      `calls, direct, ${text} 100 at a time, against the best of Nest TCP, moleculer TCP`,
      'rpc',
      `c100-${size}`,
      DIRECT,
      MESH,
      { atLeast },
    ),
    ratio(`calls, redis, ${text} 100 at a time, against Nest Redis`, 'rpc', `c100-${size}`, REDIS, ['nest-redis'], {
      atLeast: 2,
    }),
    ratio(
      `calls, redis, ${text} 100 at a time, against moleculer Redis`,
      'rpc',
      `c100-${size}`,
      REDIS,
      ['moleculer-redis'],
      { atLeast: 1.5 },
    ),
  ]),
  value('control beside 16 MB/s, direct, average ms', 'channels', 'mixed', DIRECT, 'avg', { below: 0.5 }),
  value('control beside 16 MB/s, direct, p99 ms', 'channels', 'mixed', DIRECT, 'p99', { below: 5 }),
  ratio('control beside 16 MB/s, direct, average against ioredis', 'channels', 'mixed', DIRECT, ['ioredis'], {
    below: 1,
    of: 'avg',
  }),
  ratio('control beside 16 MB/s, direct, p99 against ioredis', 'channels', 'mixed', DIRECT, ['ioredis'], { below: 1 }),
  value('soak at 70 % of the most, direct, p99 ms', 'soak', 'soak', DIRECT, 'p99', { below: 8 }),
  ...['redis', 'direct'].flatMap((own) => [
    value(`idle, ${own}, CPU that a node adds, % of a core`, 'idle', 'idle', own, 'added', { below: 0.3 }),
    // Those within scripts included, as the server counts them.
    value(`idle, ${own}, Redis commands of a node a second`, 'idle', 'idle', own, 'executed', { below: 12 }),
  ]),
];

/**
 * For each target what was reached: `figure` and the least and most of its repetitions, the `best` of the peers that it
 * is a ratio to, and whether it was on quiet cores; or why there is no figure.
 */
export function reached(documents) {
  return TARGETS.map((target) => ({ ...target, wanted: wanted(target), ...measure(target, documents) }));
}

function measure(target, documents) {
  const document = documents.find(({ scenario, fan }) => scenario === target.scenario && (fan ?? 1) === 1);
  if (document === undefined) return { why: `${target.scenario} did not run` };
  if (target.scenario === 'idle') return judge(target, [idleOf(document, target)], [document.others]);
  const phase = document.phases.find(({ key }) => key === target.phase);
  if (phase === undefined) return { why: `${target.phase} did not run` };
  const list = phase.samples[target.own] ?? [];
  if (list.length === 0) return { why: reason(document, target.own) };
  const of = judged(target.of ?? phase.better);
  const othersOf = (name) => median(phase.samples[name].map((one) => one.others));
  if (target.against === undefined) return judge(target, list.map(of), [othersOf(target.own)]);
  const there = target.against.filter((name) => phase.samples[name]?.length > 0);
  if (there.length === 0) return { why: reason(document, target.against[0]) };
  const sign = of === rate ? 1 : -1;
  const best = there.reduce((a, b) =>
    sign * (median(phase.samples[b].map(of)) - median(phase.samples[a].map(of))) > 0 ? b : a,
  );
  const absent = target.against.filter((name) => !there.includes(name)).map((name) => document.titles[name] ?? name);
  return {
    ...judge(target, ratiosOf(phase, target.own, best, of), [othersOf(target.own), othersOf(best)]),
    best: target.against.length > 1 ? document.titles[best] : undefined,
    absent,
  };
}

function idleOf({ rows }, { own, of }) {
  const row = rows.find(({ title, transport }) => title === 'here' && transport === own);
  const none = rows.find(({ transport }) => transport === 'none');
  return of === 'added' ? row?.cpuPercent - none?.cpuPercent : row?.[of];
}

function judge({ atLeast, atMost, below }, figures, others) {
  const figure = median(figures);
  if (figure === undefined) return { why: 'the run has no such figure' };
  const isMet = atLeast !== undefined ? figure >= atLeast : atMost !== undefined ? figure <= atMost : figure < below;
  const most = spread(others)?.[1];
  return { figure, range: spread(figures), isMet, others: most, isQuiet: most === undefined || most <= QUIET };
}

function wanted({ atLeast, atMost, below }) {
  if (atLeast !== undefined) return `≥ ${precise(atLeast)}`;
  return atMost !== undefined ? `≤ ${precise(atMost)}` : `< ${precise(below)}`;
}

function reason({ skipped, failed, titles }, name) {
  const title = titles[name] ?? name;
  if (skipped[name] !== undefined) return `${title} took no part: ${skipped[name]}`;
  const failure = failed.find(({ peer }) => peer === name);
  return failure === undefined ? `${title} was not asked for` : `${title} failed in ${failure.phase}: ${failure.why}`;
}
