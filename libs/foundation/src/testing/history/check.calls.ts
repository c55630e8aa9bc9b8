/**
 * Pure: holds the calls of a history to what a caller is promised. Read by `checkHistory`.
 * That only the owner carries a call out is I1: a `test.call_run` is an act like any other, see `ownership.ts`.
 */
import type { HistoryFacts, Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';

/** How much later than its timeout a call may end on a busy machine. */
const SLACK_MS = 3000;

/** One call, as its caller and its owners wrote it down. */
interface Call {
  id: string;
  sent?: HistoryEvent;
  done?: HistoryEvent;
  runs: HistoryEvent[];
}

/**
 * I15: a call is carried out as often as its caller is told. Read from `test.call_sent` { id, idempotent, timeoutMs },
 * `test.call_run` { name, id, epoch, value } by the owner that carried it out, and `test.call_done` { id, outcome,
 * epoch, value } with one of {@link OUTCOMES}.
 */
export function callsKept(events: readonly HistoryEvent[]): Violation[] {
  return callsOf(events).flatMap(carriedOut);
}

/** I16: every call ends, in a way that is documented, in its time; unless its caller does before. */
export function callsEnd(events: readonly HistoryEvent[], facts: HistoryFacts): Violation[] {
  const end = events.at(-1)?.at ?? 0;
  return callsOf(events).flatMap((call) => ended(call, end, facts));
}

function callsOf(events: readonly HistoryEvent[]): Call[] {
  const calls = new Map<string, Call>();
  for (const event of events) {
    if (event.event !== 'test.call_sent' && event.event !== 'test.call_done' && event.event !== 'test.call_run')
      continue;
    const id = String(event.payload['id']);
    const call = calls.get(id) ?? { id, runs: [] };
    calls.set(id, call);
    if (event.event === 'test.call_sent') call.sent = event;
    else if (event.event === 'test.call_done') call.done = event;
    else call.runs.push(event);
  }
  return [...calls.values()];
}

/**
 * Once at most; twice at most when its method is idempotent, because it is sent once more; never when it was refused;
 * and an answer is the result of one that was carried out.
 */
function carriedOut({ id, sent, done, runs }: Call): Violation[] {
  const complain = (sentence: string): Violation[] => [
    { invariant: 'I15', sentence, events: [sent, ...runs, done].filter((event) => event !== undefined) },
  ];
  if (sent === undefined) return complain(`The call ${id} was carried out or answered, and nobody sent it`);
  const most = sent.payload['idempotent'] === true ? 2 : 1;
  if (runs.length > most) return complain(`The call ${id} was carried out ${runs.length} times, ${most} allowed`);
  if (done?.payload['outcome'] === 'refused' && runs.length > 0)
    return complain(`The call ${id} was refused and carried out`);
  if (done?.payload['outcome'] !== 'ok') return [];
  const { epoch, value } = done.payload;
  const same = runs.some(({ payload }) => payload['epoch'] === epoch && payload['value'] === value);
  return same ? [] : complain(`The call ${id} was answered with a result that no owner came to`);
}

/** The ways in which a call may end: a result, or an error that `call` is documented to reject with. */
const OUTCOMES = ['ok', 'refused', 'interrupted', 'timeout', 'unavailable'];

function ended({ id, sent, done }: Call, end: number, facts: HistoryFacts): Violation[] {
  if (sent === undefined) return [];
  if (done !== undefined && !OUTCOMES.includes(String(done.payload['outcome']))) {
    const sentence = `The call ${id} ended with ${String(done.payload['outcome'])}, which callers do not expect`;
    return [{ invariant: 'I16', sentence, events: [sent, done] }];
  }
  const { killed = [], exits = [], frozen = [], callSlackMs = SLACK_MS } = facts;
  let limit = sent.at + (Number(sent.payload['timeoutMs']) + callSlackMs) * 1000;
  // While the caller was frozen no time went by for it.
  for (const { from, until = Infinity } of frozen
    .filter(({ pid }) => pid === sent.pid)
    .sort((a, b) => a.from - b.from)) {
    if (from < limit && until > sent.at) limit += until - Math.max(from, sent.at);
  }
  if ((done?.at ?? end) <= limit) return [];
  if ([...killed, ...exits].some(({ pid, at }) => pid === sent.pid && at <= limit)) return [];
  const late =
    done === undefined ? 'has no answer and no error' : `ended ${Math.round((done.at - sent.at) / 1000)} ms later`;
  const sentence = `The call ${id} of ${sent.node}, with ${String(sent.payload['timeoutMs'])} ms to live, ${late}`;
  return [{ invariant: 'I16', sentence, events: done === undefined ? [sent] : [sent, done] }];
}
