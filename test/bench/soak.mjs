// A long run at 70 % of what was just measured as the most: are messages lost, does memory grow.
import { windowFor } from './channels.mjs';
import { median, rate } from './figures.mjs';
import { rssOf } from './machine.mjs';

const SIZE = 1000;
const SHARE = 0.7;
/** So much of the time at each end is for looking at memory. */
const EDGE = 0.1;

export const soak = {
  about: `one-way messages of ${SIZE} B for a minute at ${SHARE * 100} % of the most: loss and growth`,
  parts: ['receive', 'send'],

  phases: ({ seconds, fan }) => [
    {
      key: 'soak',
      title: `${SIZE} B at ${SHARE * 100} % of the most for ${seconds} s; memory after gc, the least of the first and last tenths; latency between these`,
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
        const paced = (share) =>
          team.oneWay('paced', { seconds: seconds * share, size: SIZE, rate: asked }, { window, timed: 'events' });
        const first = await withMemory(team, seconds, () => paced(EDGE));
        const sample = await team.measure(() => paced(1 - 2 * EDGE));
        const last = await withMemory(team, seconds, () => paced(EDGE));
        const lost = first.lost + sample.lost + last.lost;
        return { ...sample, lost, asked, rss: { first: first.least, last: last.least } };
      },
    },
  ],
};

/**
 * What `work` gives, and the least megabytes of each process while it went on. Each look collects the garbage first,
 * which holds a process up for tens of milliseconds: so latency is not taken here.
 */
async function withMemory(team, seconds, work) {
  const looks = [];
  let isOver = false;
  const worked = work().finally(() => (isOver = true));
  while (!isOver) {
    looks.push([
      await team.sender.ask('rss'),
      ...(await Promise.all(team.receivers.map((receiver) => receiver.ask('rss')))),
      rssOf(team.brokers.pid(team.peer)),
    ]);
    await wait(seconds * 15);
  }
  const least = looks[0].map((_, index) => Math.min(...looks.map((values) => values[index] ?? NaN)));
  return { ...(await worked), least };
}

function wait(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
