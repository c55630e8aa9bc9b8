// Pure: who takes part in takeover.mjs, with which settings, and the page of it.
import { median, spread } from './figures.mjs';
import { precise, table } from './report.mjs';

/** `pairs` run beside each other, since some of them wait for a minute; `slow` ones take no part in a quick run. */
export const SYSTEMS = [
  {
    key: 'foundation',
    kind: 'foundation',
    title: 'Foundation, singleton',
    how: 'defaults: `lease.ttl` 1.5 s',
    package: 'foundation',
    settings: {},
    pairs: 1,
  },
  {
    ...{
      key: 'bullmq',
      kind: 'bullmq',
      title: 'BullMQ, stalled job',
      package: 'bullmq',
      settings: {},
      pairs: 3,
      slow: true,
    },
    how: 'defaults: `lockDuration` 30 s, `stalledInterval` 30 s',
  },
  {
    ...{ key: 'bullmq-tuned', kind: 'bullmq', title: 'BullMQ, stalled job', package: 'bullmq', pairs: 1 },
    ...{ settings: { lockDuration: 1500, stalledInterval: 1500 }, how: 'tuned: both 1.5 s', tuned: true },
  },
  {
    ...{
      key: 'redlock',
      kind: 'redlock',
      title: 'Redlock, election in a loop',
      package: 'redlock',
      pairs: 2,
      slow: true,
    },
    ...{ settings: { ttl: 10_000, wait: 1000 }, how: 'ttl 10 s, tried every 1 s, as people write it' },
  },
  {
    ...{
      key: 'redlock-30',
      kind: 'redlock',
      title: 'Redlock, election in a loop',
      package: 'redlock',
      pairs: 3,
      slow: true,
    },
    ...{ settings: { ttl: 30_000, wait: 1000 }, how: 'ttl 30 s, tried every 1 s, as people write it' },
  },
  {
    ...{ key: 'redlock-tuned', kind: 'redlock', title: 'Redlock, election in a loop', package: 'redlock', pairs: 1 },
    ...{ settings: { ttl: 1500, wait: 250 }, how: 'tuned: ttl 1.5 s, tried every 0.25 s', tuned: true },
  },
  {
    ...{ key: 'locks', kind: 'locks', title: '@nestjs/locks, election', package: undefined, pairs: 3, slow: true },
    ...{
      settings: { ttl: 30_000 },
      how: 'default ttl 30 s, tried every third of it; written from its documentation, since it is not on npm',
    },
  },
  {
    ...{
      key: 'moleculer',
      kind: 'moleculer',
      title: 'moleculer over Redis, loss of a node noticed',
      package: 'moleculer',
      pairs: 3,
      slow: true,
    },
    ...{ settings: {}, how: 'defaults: `heartbeatInterval` 10 s, `heartbeatTimeout` 30 s' },
  },
  {
    ...{
      key: 'moleculer-tuned',
      kind: 'moleculer',
      title: 'moleculer over Redis, loss of a node noticed',
      package: 'moleculer',
      pairs: 1,
    },
    ...{ settings: { heartbeatInterval: 0.5, heartbeatTimeout: 1.5 }, how: 'tuned: 0.5 s and 1.5 s', tuned: true },
  },
];

/** `samples` are seconds by the key of a system, `lookups` rows of microseconds. */
export function takeoverPage({ samples, failed = {}, lookups = [], versions, about, command, quick }) {
  const rows = SYSTEMS.filter(({ key }) => samples[key] !== undefined || failed[key] !== undefined).map((system) => {
    const list = samples[system.key] ?? [];
    const [least, most] = spread(list) ?? [];
    return [
      `${system.title}${versions[system.package] === undefined ? '' : ` ${versions[system.package]}`}`,
      system.how,
      list.length === 0 ? `**not measured**: ${failed[system.key]}` : `${precise(median(list))} s`,
      list.length === 0 ? '–' : `${precise(least)} to ${precise(most)} s`,
      String(list.length),
    ];
  });
  const found = lookups.map(({ title, how, micros, knownMs }) => [
    title,
    how,
    micros === undefined ? '–' : precise(micros),
    knownMs ?? '–',
  ]);
  return `# The same elsewhere, measured

<!-- Written by \`${command}\`; run that again, and change nothing here. -->

${about.map((line) => `- ${line}`).join('\n')}
- Command: \`${command}\`

${quick ? '**Taken with `--quick`: only what is fast takes part, and its figures mean nothing.**\n\n' : ''}## From a SIGKILL until the work runs elsewhere

Each system has two processes on one Redis. The one that has the work is killed with SIGKILL at a random time, and the clock runs until the work has
begun in the other one. All of them run at the same time, on one machine.

${table(undefined, ['', 'settings', 'median', 'least to most', 'kills'], rows)}

- The rows of others are what their documentation shows, and "tuned" is as fast as Foundation's lease would be. Tuning them so has its price: an event loop
  that is busy for longer than the time is taken for dead. Foundation's default has the same limit, and stops the work itself before another one begins.
- BullMQ processes a job at least once: a job whose worker was slow, not dead, runs twice. It is no singleton; people use it as one.
- The loop with Redlock and the election of \`@nestjs/locks\` are given the best case: no work has to be stopped, and nobody else wants the lock.
- moleculer has no singleton. Its row is the time until the other node is told; what then starts the work anew has to be written.

## Looking up a service

${
  found.length === 0
    ? 'Not measured.'
    : `Among 1000 services of another node, by name; all that offer it.

${table(undefined, ['', 'how', 'µs a lookup', 'until another node knows a new one, ms'], found)}

Neither asks the network. moleculer gives the list that it routes by, in the same turn; Foundation gives copies that the caller may keep, by a promise.`
}
`;
}
