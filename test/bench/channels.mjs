// One-way messages: bursts, one message each turn, latency at a steady rate, and small messages beside large ones.

/** What may be on its way to each receiver: 16 MB in all, and no more than 16 000 messages. */
export function windowFor(size, fan) {
  return Math.min(16_000, Math.floor(16e6 / size / fan));
}

const MIXED = { control: { size: 100, rate: 500 }, data: { size: 10_000, count: 400, every: 250 } };

export const channels = {
  about: 'one-way messages: bursts, one a turn, paced latency, control beside data',
  parts: ['receive', 'send'],

  phases: ({ seconds, fan }) => [
    ...[100, 1000, 10_000].map((size) => flood('burst', size, 100, seconds)),
    ...[100, 1000].map((size) => flood('turn', size, 1, seconds)),
    ...[1000, 10_000].map((rate) => ({
      key: `paced-${rate}`,
      title: `1000 B, ${rate} messages a second`,
      columns: ['avg', 'p50', 'p99', 'rate', 'cpu', 'lost', 'others'],
      better: 'p50',
      run: (team, part = 1) => {
        const options = { seconds: seconds * part, size: 1000, rate };
        return team.measure(() => team.oneWay('paced', options, { window: windowFor(1000, fan), timed: 'events' }));
      },
    })),
    {
      key: 'mixed',
      title: '`control` 100 B at 500 a second (its latency) while `data` carries 400 × 10 kB every 250 ms',
      columns: ['avg', 'p50', 'p99', 'max', 'rate', 'cpu', 'lost', 'others'],
      better: 'p99',
      run: (team, part = 1) => {
        const options = { seconds: Math.max(3 * seconds * part, 0.5), ...MIXED };
        return team.measure(() => team.oneWay('mixed', options, { window: 4000, timed: 'control' }));
      },
    },
  ],
};

function flood(kind, size, perTurn, seconds) {
  return {
    key: `${kind}-${size}`,
    title: `${size} B, ${perTurn === 1 ? 'one message' : `bursts of ${perTurn}`} each turn`,
    columns: ['rate', 'cpu', 'lost', 'others'],
    better: 'rate',
    run: (team, part = 1) => {
      const options = { seconds: seconds * part, size, perTurn };
      return team.measure(() => team.oneWay('burst', options, { window: windowFor(size, team.fan) }));
    },
  };
}
