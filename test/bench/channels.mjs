// One-way messages: bursts, one message each turn, latency at a steady rate, and small messages beside large ones.
import { WARM_SECONDS, warmUp } from './warmth.mjs';

/** What may be on its way to each receiver: 16 MB in all, and no more than 16 000 messages. */
export function windowFor(size, fan) {
  // Less than the 10,000 messages that a handler of ours may fall behind: what is more is dropped, as it should be.
  return Math.min(8000, Math.floor(16e6 / size / fan));
}

const MIXED = { control: { size: 100, rate: 500 }, data: { size: 10_000, count: 400, every: 250 } };
/** After the bursts of a warm-up, seconds of the paced phase itself. */
const PACED_WARM = 0.3;

export const channels = {
  about: 'one-way messages: bursts, one a turn, paced latency, control beside data',
  parts: ['receive', 'send'],

  phases: ({ seconds, fan }) => [
    ...[100, 1000, 10_000].map((size) => flood('burst', size, 100, seconds)),
    ...[100, 1000].map((size) => flood('turn', size, 1, seconds)),
    ...[1000, 10_000].map((rate) => {
      const paced = (team, time) =>
        team.oneWay('paced', { seconds: time, size: 1000, rate }, { window: windowFor(1000, fan), timed: 'events' });
      return {
        key: `paced-${rate}`,
        title: `1000 B, ${rate} messages a second`,
        columns: ['avg', 'p50', 'p99', 'rate', 'cpu', 'lost', 'others'],
        better: 'p50',
        warm: async (team, share) => {
          await burst(team, 1000, 100, share);
          await paced(team, PACED_WARM);
        },
        run: (team) => team.measure(() => paced(team, seconds)),
      };
    }),
    {
      key: 'mixed',
      title:
        '`control` 100 B at 500 a second (its latency) while `data` carries 400 × 10 kB every 250 ms; CPU a message of both',
      columns: ['avg', 'p50', 'p99', 'max', 'rate', 'cpu', 'lost', 'others'],
      better: 'p99',
      warm: async (team, share) => {
        await burst(team, 10_000, 100, share);
        await mixed(team, PACED_WARM);
      },
      run: (team) => team.measure(() => mixed(team, Math.max(3 * seconds, 0.5))),
    },
  ],
};

function flood(kind, size, perTurn, seconds) {
  return {
    key: `${kind}-${size}`,
    title: `${size} B, ${perTurn === 1 ? 'one message' : `bursts of ${perTurn}`} each turn`,
    columns: ['rate', 'cpu', 'lost', 'others'],
    better: 'rate',
    warm: (team, share) => burst(team, size, perTurn, share),
    run: (team) =>
      team.measure(() => team.oneWay('burst', { seconds, size, perTurn }, { window: windowFor(size, team.fan) })),
  };
}

/** So many that the code is warm. */
function burst(team, size, perTurn, share) {
  const options = { seconds: WARM_SECONDS, size, perTurn, most: share * warmUp(size) };
  return team.oneWay('burst', options, { window: windowFor(size, team.fan) });
}

function mixed(team, seconds) {
  return team.oneWay('mixed', { seconds, ...MIXED }, { window: 4000, timed: 'control' });
}
