/**
 * Pure: what is known of one trace, and the rule by which it is complete.
 */
import type { Report, Span } from './span.js';

/** A node that takes part in a trace, in one of its lives. */
export interface Participant {
  node: string;
  bootId: string;
  /** When it was noticed that it is no longer in the cluster. */
  goneAt?: number;
  /** Why it did not answer the last time it was asked. */
  silent?: string;
}

/** What the coordinator knows of a trace. */
export interface TraceRecord {
  id: string;
  /** The span that it began with, here or at a client. */
  root: string;
  startedAt: number;
  /** Those that were there when it began, and those that were seen in it since. */
  participants: Participant[];
  /** The last report of each, by boot id. */
  reports: Record<string, Report>;
  /** More nodes took part than one trace may have. */
  isOverfull?: boolean;
}

/** A span and the node that it ran on. */
export type PlacedSpan = Span & { node: string };

/** The answer to a question about a trace. */
export interface TraceData {
  id: string;
  startedAt: number;
  /** The nodes whose reports are there. */
  nodes: string[];
  /** When each of them reported last; two of one name are two lives of a node. */
  reports: { node: string; at: number }[];
  /** In the order of their beginning. */
  spans: PlacedSpan[];
  /** True when nothing is missing; see {@link dataOf}. */
  complete: boolean;
  /** Everything that is missing, a sentence each, at most twenty. */
  reasons: string[];
}

const MAX_REASONS = 20;
/** Of one trace; a node that restarts again and again is another participant each time. */
const MAX_PARTICIPANTS = 100;
/** Of all nodes together. */
const MAX_ALL_SPANS = 2000;
/** How long something may be on its way, such as a message that was sent just before a report and arrived after it. */
const ON_ITS_WAY_MS = 1000;

/** Takes a node into a trace, if there is room for it. */
export function takeIn(trace: TraceRecord, participant: Participant): Participant | undefined {
  if (trace.participants.length < MAX_PARTICIPANTS) trace.participants.push(participant);
  else trace.isOverfull = true;
  return trace.isOverfull === true ? undefined : participant;
}

/** The part of a report for which a trace has room. */
export function withinRoom({ reports }: TraceRecord, report: Report): Report {
  const others = Object.values(reports).filter(({ bootId }) => bootId !== report.bootId);
  const room = MAX_ALL_SPANS - others.reduce((sum, { spans }) => sum + spans.length, 0);
  const spans = report.spans.slice(0, Math.max(0, room));
  return { ...report, spans, leftOut: report.leftOut + report.spans.length - spans.length };
}

/**
 * A trace is complete when
 *
 * - every participant has reported: those that were there when it began, and those that are there now;
 * - one that has died since has reported after the last moment at which the trace could have reached it;
 * - no report has left anything out;
 * - every span has ended, and its parent is known;
 * - everything that was sent has arrived: a call at its callee, a message or a job at a handler, each attempt of it.
 */
export function dataOf({ id, root, startedAt, participants, reports, isOverfull }: TraceRecord): TraceData {
  const all = participants.flatMap(({ bootId }) => reports[bootId] ?? []);
  const spans = all
    .flatMap(({ node, spans }) => spans.map((span): PlacedSpan => ({ ...span, node })))
    .sort((a, b) => a.start - b.start);
  const reasons = [
    ...participants.flatMap((participant) => missingOf(participant, reports[participant.bootId], { all, startedAt })),
    ...openOf(spans, root),
    ...(isOverfull === true ? ['more nodes took part than one trace may have'] : []),
  ];
  return {
    ...{ id, startedAt, spans },
    nodes: [...new Set(all.map(({ node }) => node))].sort(),
    reports: all.map(({ node, at }) => ({ node, at })),
    complete: reasons.length === 0,
    reasons: reasons.slice(0, MAX_REASONS),
  };
}

/** What is missing of one participant. */
function missingOf(
  { node, bootId, goneAt, silent }: Participant,
  report: Report | undefined,
  { all, startedAt }: { all: readonly Report[]; startedAt: number },
): string[] {
  if (report === undefined) {
    return [goneAt === undefined ? `${node} did not answer: ${silent}` : `${node} died before it reported anything`];
  }
  const missing: string[] = [];
  if (report.leftOut > 0) missing.push(`${node} left out ${report.leftOut} spans`);
  if (report.forgotten > startedAt - ON_ITS_WAY_MS) missing.push(`${node} may have forgotten spans of this trace`);
  if (goneAt === undefined && silent !== undefined) missing.push(`${node} did not answer: ${silent}`);
  if (goneAt !== undefined) {
    const others = all.filter((other) => other.bootId !== bootId).flatMap(({ spans }) => spans);
    const isQuiet = others.every(({ start, end = Infinity }) => start > goneAt || end < report.at - ON_ITS_WAY_MS);
    if (!isQuiet) missing.push(`${node} died; what it did after its last report is lost`);
  }
  return missing;
}

/** What the spans themselves say is missing. */
function openOf(spans: readonly PlacedSpan[], root: string): string[] {
  const ids = new Set([root, ...spans.map(({ id }) => id)]);
  const childrenOf = new Map<string | undefined, PlacedSpan[]>();
  for (const span of spans) childrenOf.set(span.parent, [...(childrenOf.get(span.parent) ?? []), span]);
  const missing: string[] = [];
  for (const { id, parent, kind, name, node, end, error, attributes } of spans) {
    const what = `"${name}" on ${node}`;
    if (end === undefined) missing.push(`${what} has not ended`);
    if (parent !== undefined && !ids.has(parent)) missing.push(`the parent of ${what} is not known`);
    const children = childrenOf.get(id) ?? [];
    // What failed may have been sent nowhere.
    const isSent = end !== undefined && error === undefined;
    if (isSent && kind === 'client' && !children.some((child) => child.kind === 'server'))
      missing.push(`the other side of the call ${what} is not known`);
    if (isSent && kind === 'producer' && !children.some((child) => child.kind === 'consumer'))
      missing.push(`what ${what} sent has not been handled`);
    const attempt = Number(attributes['attempt'] ?? 1);
    const attempts = childrenOf.get(parent)?.filter((sibling) => sibling.name === name).length ?? 1;
    if (attempt > attempts) missing.push(`an earlier attempt of ${what} is not known`);
  }
  return missing;
}
