// A checker that cannot fail is worth nothing: a history that was recorded in a run of the random test, and is good, is
// changed at random in one place, and the checker must find it. What is changed, and where, follows from the seed.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  checkHistory,
  describeViolations,
  type HistoryEvent,
  type HistoryFacts,
  ownershipsOf,
  parseHistory,
} from 'nestjs-foundation/testing';
import { mulberry32 } from '../chaos/history.plan.mjs';

const FOLDER = join(import.meta.dirname, 'histories');
const TIMES = 25;

type Event = HistoryEvent & { payload: Record<string, unknown> };
/** Changes the events, and returns false when this choice is not one that breaks anything. */
type Mutation = (events: Event[], facts: HistoryFacts, pick: <T>(list: readonly T[]) => T) => boolean;

const of = (events: readonly Event[], ...names: string[]): Event[] =>
  events.filter(({ event }) => names.includes(event));
const drop = (events: Event[], event: Event): boolean => events.splice(events.indexOf(event), 1).length === 1;
const name = ({ payload }: Event): string => String(payload['name']);
const epoch = ({ payload }: Event): number => Number(payload['epoch']);

const MUTATIONS: Record<string, { breaks: string; mutate: Mutation }> = {
  'an owner begins before the last one has ended': {
    breaks: 'I1',
    mutate: (events, facts, pick) => {
      const all = ownershipsOf(events, facts);
      const ended = all.filter((one) => {
        const [from, to] = one.spans.at(-1) ?? [0, 0];
        return (
          to !== Infinity && to - from > 1000 && all.some((next) => next.name === one.name && next.acquired.at > to)
        );
      });
      const before = pick(ended);
      const next = all.find((one) => one.name === before.name && one.acquired.at > before.to)!;
      const acquired = events.find((event) => event.event === 'lease.acquired' && event.at === next.acquired.at)!;
      acquired.at = before.spans.at(-1)![1] - 500;
      return true;
    },
  },
  'an epoch is not higher than the last one': {
    breaks: 'I3',
    mutate: (events, _facts, pick) => {
      const acquired = of(events, 'lease.acquired', 'lease.reclaimed');
      const later = acquired.filter((event, index) =>
        acquired.slice(0, index).some((one) => name(one) === name(event)),
      );
      const event = pick(later);
      const before = acquired.findLast((one) => one.at < event.at && name(one) === name(event))!;
      event.payload['epoch'] = epoch(before) - (event.at % 2);
      return true;
    },
  },
  'an owner acts after its end': {
    breaks: 'I1',
    mutate: (events, _facts, pick) => {
      const event = pick(of(events, 'test.effect'));
      const end = events.find(
        (one) =>
          one.pid === event.pid &&
          name(one) === name(event) &&
          /lease\.(lost|released)/.test(one.event) &&
          one.at > event.at,
      );
      if (end === undefined) return false;
      event.at = end.at + 1;
      return true;
    },
  },
  'an owner acts under an epoch of before': {
    breaks: 'I1',
    mutate: (events, _facts, pick) => {
      pick(of(events, 'test.effect', 'test.call_run')).payload['epoch'] = 5;
      return true;
    },
  },
  'a lease is released before its instance has stopped': {
    breaks: 'I1',
    mutate: (events, _facts, pick) => {
      const released = pick(of(events, 'lease.released'));
      const stopped = events.findLast(
        (one) =>
          one.event === 'process.stopped' &&
          one.pid === released.pid &&
          name(one) === name(released) &&
          one.at <= released.at,
      );
      const starting = events.findLast(
        (one) =>
          one.event === 'process.starting' &&
          one.pid === released.pid &&
          name(one) === name(released) &&
          one.at <= released.at,
      );
      if (stopped === undefined || starting === undefined || stopped.at < starting.at) return false;
      return drop(events, stopped);
    },
  },
  'a fenced write of a stale owner is accepted': {
    breaks: 'I4',
    mutate: (events, _facts, pick) => {
      const writes = of(events, 'test.fenced_write').filter(({ payload }) => payload['accepted'] === true);
      const event = pick(writes);
      if (!writes.some((one) => one.at < Number(event.payload['sentAt']) && name(one) === name(event))) return false;
      event.payload['epoch'] = 5;
      return true;
    },
  },
  'a process is not owned any more at the end': {
    breaks: 'I5',
    mutate: (events, facts, pick) => {
      const { name: lost } = pick(facts.wanted!);
      const last = of(events, 'lease.acquired').findLast((event) => name(event) === lost)!;
      events.splice(0, events.length, ...events.filter((event) => event.pid !== last.pid || name(event) !== lost));
      return true;
    },
  },
  'a node has an older view': {
    breaks: 'I8',
    mutate: (events, facts, pick) => {
      const gone = [...facts.exits!, ...facts.killed!].map(({ pid }) => pid);
      const alive = [...new Set(events.map(({ pid }) => pid))].filter((pid) => !gone.includes(pid));
      const pid = pick(alive);
      return drop(
        events,
        of(events, 'cluster.view_changed').findLast((event) => event.pid === pid)!,
      );
    },
  },
  'a node ends by itself': {
    breaks: 'I10',
    mutate: (_events, facts, pick) => {
      const exit = pick(facts.exits!);
      Object.assign(exit, { injected: false });
      return true;
    },
  },
  'a lookup names an owner that has been replaced': {
    breaks: 'I14',
    mutate: (events, _facts, pick) => {
      const lookup = pick(of(events, 'test.lookup').filter(({ payload }) => payload['node'] !== undefined));
      const old = of(events, 'lease.acquired').filter(
        (event) => name(event) === name(lookup) && epoch(event) < epoch(lookup),
      );
      if (old.length === 0) return false;
      const { node, payload } = pick(old);
      Object.assign(lookup.payload, { node, epoch: payload['epoch'] });
      return true;
    },
  },
  'a call is carried out twice': {
    breaks: 'I15',
    mutate: (events, _facts, pick) => {
      const once = of(events, 'test.call_sent').filter(({ payload }) => payload['idempotent'] === false);
      const ids = new Set(once.map(({ payload }) => payload['id']));
      const run = pick(of(events, 'test.call_run').filter(({ payload }) => ids.has(payload['id'])));
      events.push(structuredClone(run));
      return true;
    },
  },
  'a call is answered and was not carried out': {
    breaks: 'I15',
    mutate: (events, _facts, pick) => {
      const done = pick(of(events, 'test.call_done').filter(({ payload }) => payload['outcome'] === 'ok'));
      const { id } = done.payload;
      for (const run of of(events, 'test.call_run')) if (run.payload['id'] === id) drop(events, run);
      return true;
    },
  },
  'a call that was carried out is said to be refused': {
    breaks: 'I15',
    mutate: (events, _facts, pick) => {
      const done = pick(of(events, 'test.call_done').filter(({ payload }) => payload['outcome'] === 'ok'));
      Object.assign(done.payload, { outcome: 'refused' });
      return true;
    },
  },
  'a call has no end': {
    breaks: 'I16',
    mutate: (events, facts, pick) => {
      const gone = [...facts.exits!, ...facts.killed!].map(({ pid }) => pid);
      const end = Math.max(...events.map(({ at }) => at)) - 6_000_000;
      const done = of(events, 'test.call_done').filter(({ at, pid }) => at < end && !gone.includes(pid));
      return drop(events, pick(done));
    },
  },
  'a call ends far too late': {
    breaks: 'I16',
    mutate: (events, facts, pick) => {
      const gone = [...facts.exits!, ...facts.killed!].map(({ pid }) => pid);
      pick(of(events, 'test.call_done').filter(({ pid }) => !gone.includes(pid))).at += 60_000_000;
      return true;
    },
  },
  'a process comes back after its stop': {
    breaks: 'I17',
    mutate: (events, _facts, pick) => {
      const stopped = pick(of(events, 'test.stopped'));
      const start = of(events, 'process.starting').find((event) => name(event).startsWith(name(stopped)))!;
      events.push({ ...structuredClone(start), at: stopped.at + 1 });
      return true;
    },
  },
  'a restart is answered by an instance of before': {
    breaks: 'I18',
    mutate: (events, _facts, pick) => {
      const restarted = pick(of(events, 'test.restarted'));
      restarted.payload['askedAt'] = restarted.at - 1;
      return true;
    },
  },
  'a process is moved back and forth': {
    breaks: 'I20',
    mutate: (events, _facts, pick) => {
      const start = pick(of(events, 'process.starting'));
      // Beyond everything that happened.
      const end = Math.max(...events.map(({ at }) => at)) + 30_000_000;
      const stop = { ...structuredClone(start), event: 'process.stopped', at: end };
      Object.assign(stop.payload, { reason: 'move', clean: true });
      events.push(stop, { ...structuredClone(start), at: end + 1000 });
      return true;
    },
  },
  'a state is applied twice': {
    breaks: 'I19',
    mutate: (events, _facts, pick) => {
      const taken = pick(of(events, 'test.handoff_taken'));
      events.push({ ...structuredClone(taken), at: taken.at + 1 });
      return true;
    },
  },
  'a state is applied by a stale owner': {
    breaks: 'I19',
    mutate: (events, _facts, pick) => {
      const taken = pick(of(events, 'test.handoff_taken'));
      taken.payload['epoch'] = Number(taken.payload['from']) - 1;
      return true;
    },
  },
};

describe('a good history, changed in one place', () => {
  let text: string;
  let facts: HistoryFacts;
  const read = (): Event[] => parseHistory(text).map((event) => ({ ...event, payload: { ...event.payload } }));

  beforeAll(() => {
    text = readFileSync(join(FOLDER, 'good.ndjson'), 'utf8');
    facts = JSON.parse(readFileSync(join(FOLDER, 'good.facts.json'), 'utf8')) as HistoryFacts;
  });

  it('is good as it was recorded', () => {
    expect(checkHistory(read(), facts)).toEqual([]);
  });

  it('may hold anything that JSON can hold', () => {
    const odd = [
      null,
      { toString: 1 },
      { toString: 1, valueOf: null },
      [[{ toString: 'x' }]],
      JSON.parse('{"__proto__":1}'),
      ...[Infinity, -Infinity, 1e300],
      // Deeper than can be written.
      JSON.parse(`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`),
    ];
    const kinds = new Map(read().map((event) => [event.event, event]));
    for (const [index, { payload }] of [...kinds.values()].entries()) {
      for (const key of Object.keys(payload)) {
        for (const value of odd) {
          const events = [...kinds.values()].map((event, at) =>
            at === index ? { ...event, payload: { ...payload, [key]: value } } : event,
          );
          expect(() => describeViolations(checkHistory(events, facts), events)).not.toThrow();
        }
      }
    }
  });

  it('comes to an end whatever times it has', () => {
    for (const at of [Infinity, -Infinity, NaN]) {
      const events = read().map((event, index) => (index % 7 === 0 ? { ...event, at } : event));
      expect(() => checkHistory(events, facts)).not.toThrow();
      expect(() => checkHistory(events)).not.toThrow();
    }
    expect(() => parseHistory('{"at":1e999,"pid":1,"node":"a","bootId":"b","event":"e","payload":{}}\n')).toThrow(
      'Line 1',
    );
  });

  it.each(Object.entries(MUTATIONS))('is found out: %s', (_what, { breaks, mutate }) => {
    const random = mulberry32(42);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    let changed = 0;
    for (let time = 0; changed < TIMES && time < 10 * TIMES; time++) {
      const events = read();
      const more = structuredClone(facts);
      if (!mutate(events, more, pick)) continue;
      changed += 1;
      expect(checkHistory(events, more).map(({ invariant }) => invariant)).toContain(breaks);
    }
    expect(changed).toBeGreaterThan(0);
  });
});
