// A long run at 70 % of what was just measured as the most: are messages lost, does memory grow.
import { windowFor } from './channels.mjs';
import { median, rate } from './figures.mjs';
import { rssOf } from './machine.mjs';

const SIZE = 1000;
const SHARE = 0.7;

export const soak = {
  about: `one-way messages of ${SIZE} B for a minute at ${SHARE * 100} % of the most: loss and growth`,
  parts: ['receive', 'send'],

  phases: ({ seconds, fan }) => [
    {
      key: 'soak',
      title: `${SIZE} B at ${SHARE * 100} % of the most for ${seconds} s; memory after gc, the least of the first and last tenths`,
      columns: ['asked', 'rate', 'avg', 'p50', 'p99', 'max', 'lost', 'rss', 'cpu', 'others'],
      better: 'p99',
      async run(team) {
        const window = windowFor(SIZE, fan);
        const rates = [];
        for (let run = 0; run < 4; run++) {
          rates.push(rate(await team.oneWay('burst', { seconds: 1, size: SIZE, perTurn: 100 }, { window })));
        }
        // The first one warms up.
        const asked = Math.round(median(rates.slice(1)) * SHARE);
        const memory = watch(team, seconds);
        const paced = { seconds, size: SIZE, rate: asked };
        const sample = await team.measure(() => team.oneWay('paced', paced, { window, timed: 'events' }));
        return { ...sample, asked, rss: await memory };
      },
    },
  ],
};

/** Resolves with megabytes at the beginning and at the end, of each process. */
async function watch(team, seconds) {
  const look = async () => [
    await team.sender.ask('rss'),
    ...(await Promise.all(team.receivers.map((receiver) => receiver.ask('rss')))),
    rssOf(team.brokers.pid(team.peer)),
  ];
  const least = async () => {
    const looks = [];
    for (const end = performance.now() + seconds * 150; performance.now() < end; await wait(seconds * 15)) {
      looks.push(await look());
    }
    return looks[0].map((_, index) => Math.min(...looks.map((values) => values[index] ?? NaN)));
  };
  const first = await least();
  await wait(seconds * 650);
  const last = await least();
  return { first, last };
}

function wait(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
