// Pure: what happened in a history, in figures. Nothing here decides whether the test has passed.
import { ownershipsOf } from 'nestjs-foundation/testing';
import { quantiles } from '../../dist/test/support/quantiles.js';

/** `{ ownersChanged, calls: { ok, … }, withoutOwner: { kill: { n, p50, max }, … } }`, times in ms. */
export function figuresOf(history, injuries) {
  const ownerships = ownershipsOf(history, injuries);
  const byName = groupByName(ownerships);
  const stops = history.filter(({ event }) => event === 'test.stopping');
  const gaps = new Map();
  let ownersChanged = 0;
  for (const list of byName.values()) {
    for (let index = 1; index < list.length; index++) {
      const [before, next] = [list[index - 1], list[index]];
      ownersChanged += 1;
      const cause = causeOf(before, history, injuries);
      const gap = (next.acquired.at - endOf(before)) / 1000;
      const wasStopped = stops.some(
        ({ at, payload }) =>
          before.name.split(/[#/]/)[0] === payload.name && at > before.acquired.at && at < next.acquired.at,
      );
      if (!wasStopped && cause !== 'complete') gaps.set(cause, [...(gaps.get(cause) ?? []), Math.max(0, gap)]);
    }
  }
  const calls = {};
  for (const { event, payload } of history) {
    if (event === 'test.call_done') calls[payload.outcome] = (calls[payload.outcome] ?? 0) + 1;
  }
  const withoutOwner = [...gaps].map(([cause, samples]) => {
    const { n, p50, max } = quantiles(samples);
    return [cause, { n, p50, max }];
  });
  return { ownersChanged, calls, withoutOwner: Object.fromEntries(withoutOwner) };
}

function groupByName(ownerships) {
  const groups = new Map();
  for (const one of ownerships) groups.set(one.name, [...(groups.get(one.name) ?? []), one]);
  return groups;
}

/** The end of what it could do as the owner: for one that was frozen that is when the freeze began. */
function endOf({ spans }) {
  return spans.at(-1)[1];
}

function causeOf({ name, pid, bootId, epochs, end, to }, history, { killed, frozen }) {
  if (killed.some((one) => one.pid === pid && one.at <= to)) return 'kill';
  if (end?.event === 'lease.lost') {
    const lately = end.at - 3_000_000;
    return frozen.some((one) => one.pid === pid && one.until > lately && one.from < end.at) ? 'freeze' : 'redis';
  }
  const stopped = history.findLast(
    (each) =>
      each.event === 'process.stopped' &&
      each.pid === pid &&
      each.bootId === bootId &&
      each.payload.name === name &&
      each.payload.epoch === epochs.at(-1).epoch,
  );
  return stopped?.payload.reason ?? 'not started';
}
