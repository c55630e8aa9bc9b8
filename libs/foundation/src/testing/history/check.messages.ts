/**
 * Pure: holds a history to "a lost message is reported".
 */
import type { HistoryFacts, Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';

/** What was said so shortly before the end of the history, or of the listener, need not be reported yet. */
const TOLD_WITHIN_MS = 15_000;
/** A node that is back sees who joined and left meanwhile only with the next beats. */
const SEEN_AGAIN_US = 3_000_000;

/** What one process heard of one sender on one channel, or was reported to have missed. */
interface Heard {
  /** `lane number`. */
  handled: Set<string>;
  gaps: { lane: string; first: number; last: number }[];
  /** When it was last reported that what the sender had sent is unknown. */
  unknownAt: number;
}

/** One subscription of one process. */
interface Listener {
  event: HistoryEvent;
  channel: string;
  /** By the boot id of the sender. */
  heard: Map<string, Heard>;
  drops: number;
}

/**
 * I21: of each message that was sent while a node was a member and listened, and went on for long enough afterwards,
 * the node has handled it, or reported that it is missing (`message.gap`), or counted it as dropped
 * (`message.dropped`).
 *
 * `test.listening` { channel }: the subscription is in place, and the node is up. `test.said` { channel, lane, seq,
 * sentAt }: the transport has taken the sender's message of this number, which it was given at `sentAt`. `test.heard`
 * { channel, lane, seq, sender }: a handler got it from the sender of that boot id.
 *
 * A node with links is up once the others know it. One without is heard of by those with links when they see it in
 * their view, so what counts is what they send from then on. What a node with links was killed before it had brought to
 * another one, nobody knows of.
 */
export function lossesTold(events: readonly HistoryEvent[], facts: HistoryFacts): Violation[] {
  const end = facts.settledAt ?? events.at(-1)?.at ?? 0;
  const toldWithin = (facts.toldWithinMs ?? TOLD_WITHIN_MS) * 1000;
  const lives = livesOf(events, facts);
  const linked = new Set(events.flatMap(({ event, bootId }) => (event.startsWith('transport.link_') ? [bootId] : [])));
  const knownSince = acquaintances(events, linked);
  const killed = new Set(facts.killed?.map(({ pid }) => pid));
  const said = events.filter(({ event }) => event === 'test.said');
  return listenersOf(events).flatMap((listener): Violation[] => {
    const { event: listening, channel } = listener;
    const since = Math.max(listening.at, lives.get(listening.bootId)?.from ?? Infinity);
    const limit = Math.min(end, lives.get(listening.bootId)?.to ?? Infinity) - toldWithin;
    const diedWith = ({ bootId, pid }: HistoryEvent): boolean =>
      killed.has(pid) && linked.has(bootId) && linked.has(listening.bootId);
    const untold = said.filter(
      (message) =>
        message.payload['channel'] === channel &&
        Number(message.payload['sentAt']) > since &&
        message.at < limit &&
        message.bootId !== listening.bootId &&
        Number(message.payload['sentAt']) > knownSince(message.bootId, listening.bootId) &&
        !isAccountedFor(listener, message) &&
        !(diedWith(message) && isLast(listener, message)) &&
        !cameAndWent(lives.get(message.bootId), listening, facts),
    );
    if (untold.length <= listener.drops) return [];
    const sentence =
      `${untold.length} messages on "${channel}" were neither handled on ${listening.node} nor told to be missing, ` +
      `and ${listener.drops} were dropped there`;
    return [{ invariant: 'I21', sentence, events: [listening, ...untold.slice(0, 5)] }];
  });
}

function listenersOf(events: readonly HistoryEvent[]): Listener[] {
  const listeners = new Map<string, Listener>();
  for (const event of events) {
    const { channel, lane, seq, sender, bootId, priority, missing, count } = event.payload;
    const key = `${event.bootId} ${String(channel)}`;
    if (event.event === 'test.listening') {
      listeners.set(key, { event, channel: String(channel), heard: new Map(), drops: 0 });
    }
    const listener = listeners.get(key);
    if (listener === undefined) continue;
    if (event.event === 'test.heard') heardOf(listener, sender).handled.add(`${String(lane)} ${String(seq)}`);
    if (event.event === 'message.dropped') listener.drops += Number(count);
    if (event.event !== 'message.gap') continue;
    const heard = heardOf(listener, bootId);
    const range = missing as { first: number; last: number } | undefined;
    if (range === undefined) heard.unknownAt = event.at;
    else heard.gaps.push({ lane: String(priority), first: range.first, last: range.last });
  }
  return [...listeners.values()];
}

function heardOf({ heard }: Listener, sender: unknown): Heard {
  const key = String(sender);
  const known = heard.get(key) ?? { handled: new Set<string>(), gaps: [], unknownAt: -Infinity };
  heard.set(key, known);
  return known;
}

function isAccountedFor({ heard }: Listener, { bootId, at, payload }: HistoryEvent): boolean {
  const of = heard.get(bootId);
  if (of === undefined) return false;
  const [lane, seq] = [String(payload['lane']), Number(payload['seq'])];
  if (of.handled.has(`${lane} ${seq}`) || at < of.unknownAt) return true;
  return of.gaps.some((gap) => gap.lane === lane && gap.first <= seq && seq <= gap.last);
}

/** True when nothing of the sender came after it. */
function isLast({ heard }: Listener, { bootId, payload }: HistoryEvent): boolean {
  const numbers = [...(heard.get(bootId)?.handled ?? [])].map((key) => key.split(' '));
  return !numbers.some(([lane, seq]) => lane === payload['lane'] && Number(seq) > Number(payload['seq']));
}

/** Since it was a member, and until it ended. */
interface Life {
  from: number;
  to: number;
}

function livesOf(events: readonly HistoryEvent[], { killed = [], exits = [] }: HistoryFacts): Map<string, Life> {
  const ends = new Map([...killed, ...exits].map(({ pid, at }) => [pid, at]));
  const lives = new Map<string, Life>();
  for (const { event, bootId, pid, at } of events) {
    if (event === 'cluster.view_changed' && !lives.has(bootId))
      lives.set(bootId, { from: at, to: ends.get(pid) ?? Infinity });
  }
  return lives;
}

/** Since when a sender sends to a listener: from the first on, but for one with links to one without. */
function acquaintances(
  events: readonly HistoryEvent[],
  linked: ReadonlySet<string>,
): (sender: string, listener: string) => number {
  const views = new Map<string, { at: number; version: number }[]>();
  for (const { event, bootId, at, payload } of events) {
    if (event !== 'cluster.view_changed') continue;
    const all = views.get(bootId) ?? [];
    views.set(bootId, all);
    all.push({ at, version: Number(payload['version']) });
  }
  const known = new Map<string, number>();
  return (sender, listener) => {
    const key = `${sender} ${listener}`;
    if (!linked.has(sender) || linked.has(listener)) return -Infinity;
    if (!known.has(key)) {
      const own = views.get(listener)?.[0]?.version ?? Infinity;
      known.set(key, views.get(sender)?.find(({ version }) => version >= own)?.at ?? Infinity);
    }
    return known.get(key) ?? Infinity;
  };
}

/**
 * A sender whose whole life fell into one cut or freeze of the listener was never seen by it, so nothing can be
 * reported of it.
 */
function cameAndWent(
  life: Life | undefined,
  { node, pid }: HistoryEvent,
  { cut = [], frozen = [] }: HistoryFacts,
): boolean {
  const away = [...cut.filter((one) => one.node === node), ...frozen.filter((one) => one.pid === pid)];
  return away.some(
    ({ from, until = Infinity }) => life !== undefined && life.from >= from && life.to <= until + SEEN_AGAIN_US,
  );
}
