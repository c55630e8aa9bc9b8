// Pure: out of a long history the shortest part that still breaks the same invariant, without what is about other
// names.
import {
  checkHistory,
  describeViolations,
  type HistoryEvent,
  type HistoryFacts,
  type Violation,
} from 'nestjs-foundation/testing';

const MOST_SHOWN = 80;

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
  // What makes a breach stands together: without its beginning, or its end, it is none any more.
  const to = least(all.length, (length) => shows(all.slice(0, length)));
  const from = to - least(to, (length) => shows(all.slice(to - length, to)));
  const names = new Set(violation.events.flatMap(({ payload }) => ('name' in payload ? [payload['name']] : [])));
  const kinds = new Set(violation.events.map(({ event }) => event));
  const concerns = ({ event, payload }: HistoryEvent): boolean =>
    names.size === 0 ? kinds.has(event) : 'name' in payload ? names.has(payload['name']) : event.startsWith('cluster.');
  const events = withoutRepetition(all.slice(from, to).filter(concerns), violation.events);
  return { violation, events: shorten(events) };
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

/** Its beginning and its end, when it is long. */
function shorten(events: HistoryEvent[]): HistoryEvent[] {
  if (events.length <= MOST_SHOWN) return events;
  return [...events.slice(0, MOST_SHOWN / 2), ...events.slice(-MOST_SHOWN / 2)];
}
