// Pure: out of a long history the shortest part that still breaks the same invariant, without what is about other
// names, and with the faults that a test has caused meanwhile.
import {
  checkHistory,
  describeViolations,
  type HistoryEvent,
  type HistoryFacts,
  type Violation,
} from 'nestjs-foundation/testing';

const MOST_SHOWN = 80;
const MOST_FAULTS = 20;
/** What led to a fault that nothing came after, in microseconds. */
const BEFORE_US = 2_000_000;

export interface Stretch {
  violation: Violation;
  events: HistoryEvent[];
}

/** Of the first violation that is not expected; `undefined` when there is none. */
export function shortestStretch(
  history: readonly HistoryEvent[],
  facts: HistoryFacts,
  isExpected: (violation: string) => boolean = () => false,
): Stretch | undefined {
  const all = [...history].sort((one, other) => one.at - other.at);
  const isOne = (each: Violation): boolean => !isExpected(describeViolations([each], all)[0]!);
  const violation = checkHistory(all, facts).find(isOne);
  if (violation === undefined) return undefined;
  const shows = (events: readonly HistoryEvent[]): boolean =>
    checkHistory(events, facts).some(
      ({ invariant, sentence }) => invariant === violation.invariant && sentence === violation.sentence,
    );
  const names = namesIn(violation, facts);
  // What makes a breach stands together: without its beginning, or its end, it is none any more.
  const to = least(all.length, (length) => shows(all.slice(0, length)));
  const from = to - least(to, (length) => shows(all.slice(to - length, to)));
  // What is missing shows in no event: then it is what there was when it should have come.
  const stretch = to === from ? waitedFor(all, names, facts) : all.slice(from, to);
  const kinds = new Set(violation.events.map(({ event }) => event));
  const concerns = ({ event, payload }: HistoryEvent): boolean =>
    names.size === 0 ? kinds.has(event) : 'name' in payload ? names.has(payload['name']) : event.startsWith('cluster.');
  const kept = new Set<HistoryEvent>(violation.events);
  const concerned = stretch.filter(concerns);
  // What the application did besides says little, where the breach shows without it.
  const quiet = concerned.filter((one) => kept.has(one) || !one.event.startsWith('test.'));
  const events = withoutRepetition(shows(quiet) ? quiet : concerned, violation.events);
  return { violation, events: withFaults(shorten(events, kept), facts, stretch) };
}

/** The names that a breach is about. */
function namesIn({ events, sentence }: Violation, { wanted = [] }: HistoryFacts): Set<unknown> {
  const names = new Set(events.flatMap(({ payload }) => ('name' in payload ? [payload['name']] : [])));
  if (events.length > 0) return names;
  return new Set(wanted.map(({ name }) => name).filter((name) => sentence.includes(`"${name}"`)));
}

/** All that happened while these names should have been owned again, for the last time. */
function waitedFor(
  all: readonly HistoryEvent[],
  names: ReadonlySet<unknown>,
  { wanted = [] }: HistoryFacts,
): HistoryEvent[] {
  const last = wanted.filter(({ name }) => names.has(name)).at(-1);
  if (last === undefined) return [];
  return all.filter(({ at }) => at >= last.at - BEFORE_US && at <= last.at + last.withinMs * 1000);
}

/** What was done to the nodes and to Redis from the beginning of a stretch to its end, as events of their own. */
function withFaults(
  events: readonly HistoryEvent[],
  { cut = [], frozen = [], redisFrozen = [], rewound = [], exits = [], wanted = [] }: HistoryFacts,
  stretch: readonly HistoryEvent[],
): HistoryEvent[] {
  const fault = (at: number | undefined, node: string, what: string): HistoryEvent[] =>
    at === undefined ? [] : [{ at, node, bootId: '', pid: 0, event: `fault: ${what}`, payload: {} }];
  const during = (what: string, all: readonly { node?: string; from: number; until?: number }[]): HistoryEvent[] =>
    all.flatMap(({ node = 'redis', from, until }) => [
      ...fault(from, node, what),
      ...fault(until, node, `${what} no longer`),
    ]);
  const known = new Set<string>();
  const announced = wanted.filter(({ at, because }) => !known.has(`${at} ${because}`) && known.add(`${at} ${because}`));
  const all = [
    ...during('cut off', cut),
    ...during(
      'frozen',
      frozen.map(({ pid, ...rest }) => ({
        ...rest,
        node: stretch.find((one) => one.pid === pid)?.node ?? String(pid),
      })),
    ),
    ...during('frozen', redisFrozen),
    ...during('gone back', rewound),
    ...exits.flatMap(({ at, node, how }) => fault(at, node, `ended: ${how}`)),
    ...announced.flatMap(({ at, because }) => fault(at, 'test', because)),
  ];
  const [from, to] = [stretch[0]?.at ?? Infinity, stretch.at(-1)?.at ?? -Infinity];
  const meanwhile = all.filter(({ at }) => at >= from && at <= to).slice(-MOST_FAULTS);
  return [...events, ...meanwhile].sort((one, other) => one.at - other.at);
}

/** The least length up to `most` that is enough; what is enough stays so when it grows. */
function least(most: number, isEnough: (length: number) => boolean): number {
  let [low, high] = [0, most];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isEnough(middle)) high = middle;
    else low = middle + 1;
  }
  return isEnough(high) ? high : most;
}

/** Of what a node does again and again, such as an act, the first and the last one in a row. */
function withoutRepetition(events: HistoryEvent[], kept: readonly HistoryEvent[]): HistoryEvent[] {
  const key = (one: HistoryEvent | undefined): string | undefined => one && `${one.pid} ${one.event}`;
  const byProcess = new Map<number, HistoryEvent[]>();
  for (const one of events) byProcess.set(one.pid, [...(byProcess.get(one.pid) ?? []), one]);
  const ends = new Set<HistoryEvent>(kept);
  for (const own of byProcess.values()) {
    own.forEach((one, index) => {
      if (key(own[index - 1]) !== key(one) || key(own[index + 1]) !== key(one)) ends.add(one);
    });
  }
  return events.filter((one) => ends.has(one));
}

/** Its beginning and its end, when it is long, and what the breach is made of. */
function shorten(events: HistoryEvent[], kept: ReadonlySet<HistoryEvent>): HistoryEvent[] {
  if (events.length <= MOST_SHOWN) return events;
  const isShown = (index: number): boolean => index < MOST_SHOWN / 2 || index >= events.length - MOST_SHOWN / 2;
  return events.filter((one, index) => isShown(index) || kept.has(one));
}
