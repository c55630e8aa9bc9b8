// What the seed says of each kind of channel: latency at a steady rate, and how much one of them carries.
import { windowFor } from './channels.mjs';
import { WARM_SECONDS, warmUp } from './warmth.mjs';

const SIZE = 1000;
const RATE = 1000;
const KINDS = ['control', 'events', 'telemetry', 'data'];
/** In the first seconds at such a rate most of the CPU is that of V8, which compiles what it finds to be hot. */
const STEADY = 20;
/** The seed names no throughput of telemetry. */
const BULK = ['control', 'events', 'data'];

export const levels = {
  about: 'the four kinds of channels: latency at 1000 messages a second, and the most that they carry',
  parts: ['receive', 'send'],
  phases: ({ seconds }) => [
    ...KINDS.map((channel) => ({
      key: `latency-${channel}`,
      title: `\`${channel}\`, ${SIZE} B, ${RATE} messages a second`,
      columns: ['avg', 'p50', 'p99', 'rate', 'cpu', 'lost', 'others'],
      better: 'p99',
      warm: warmFor(channel, 0.3),
      run: (team) => team.measure(() => paced(team, channel, seconds)),
    })),
    {
      key: 'cpu-events',
      title: `CPU of \`events\`, ${SIZE} B, ${RATE} messages a second for ${STEADY} times as long`,
      columns: ['p50', 'cpu', 'lost', 'others'],
      better: 'p50',
      warm: warmFor('events', 5 * seconds),
      run: (team) => team.measure(() => paced(team, 'events', STEADY * seconds)),
    },
    ...BULK.map((channel) => ({
      key: `throughput-${channel}`,
      title: `\`${channel}\`, ${SIZE} B, bursts of 100 each turn`,
      columns: ['rate', 'cpu', 'lost', 'others'],
      better: 'rate',
      warm: (team, share) => warmFlood(team, channel, share),
      run: (team) => team.measure(() => flood(team, channel, seconds)),
    })),
  ],
};

function warmFor(channel, seconds) {
  return async (team, share) => {
    await warmFlood(team, channel, share);
    await paced(team, channel, seconds);
  };
}

function warmFlood(team, channel, share) {
  return flood(team, channel, WARM_SECONDS, share * warmUp(SIZE));
}

function paced(team, channel, seconds) {
  const window = windowFor(SIZE, team.fan);
  return team.oneWay('paced', { seconds, size: SIZE, rate: RATE, channel }, { window, timed: channel });
}

function flood(team, channel, seconds, most) {
  const window = windowFor(SIZE, team.fan);
  return team.oneWay('burst', { seconds, size: SIZE, perTurn: 100, channel, most }, { window });
}
