/**
 * Pure: events, and what changed between two overviews, as lines of a time-line that keeps the last ones.
 * Read by `page/events.js`.
 */
import type { Overview, ProcessSeen } from './dashboard.overview.js';

/** How many are kept. */
export const MAX_HAPPENINGS = 200;
/**
 * So many of one event are kept among them while others come: what strangers can make happen wipes nothing else out.
 */
const MAX_OF_EVENT = 60;
/** The same thing within this many milliseconds is one line with a count. */
const SAME_MS = 5000;

/** Something that happened. */
export interface TimelineEntry {
  /** Milliseconds since 1970, by the clock of this node. */
  at: number;
  /** The name of the event. */
  event: string;
  node?: string;
  /** Rises with each; a line with a higher count replaces the one of the same id. */
  id: number;
  text: string;
  count: number;
}

/** The last happenings, oldest first. */
export class Timeline {
  readonly #lines: TimelineEntry[] = [];
  #lastId = 0;

  /** Returns the new line, or the one that is counted up. */
  add(at: number, event: string, text: string, node?: string): TimelineEntry {
    const same = this.#lines.findLast((line) => line.event === event && line.text === text && at - line.at < SAME_MS);
    if (same !== undefined) {
      same.count += 1;
      return same;
    }
    this.#lastId += 1;
    const line: TimelineEntry = {
      at,
      event,
      id: this.#lastId,
      text,
      count: 1,
      ...(node === undefined ? {} : { node }),
    };
    this.#lines.push(line);
    if (this.#lines.length <= MAX_HAPPENINGS) return line;
    const alike = this.#lines.filter((each) => each.event === event);
    this.#lines.splice(alike.length > MAX_OF_EVENT ? this.#lines.indexOf(alike[0]!) : 0, 1);
    return line;
  }

  get lines(): readonly TimelineEntry[] {
    return this.#lines;
  }
}

/** One line of text out of an event's payload; what is long is cut. */
export function textOf(event: string, payload: Readonly<Record<string, unknown>>): string {
  // Each connection has a port of its own, and would be a line of its own.
  const host = text(payload['address']).replace(/:\d+$/, '');
  const subject = payload['node'] ?? payload['channel'] ?? host;
  const what = event.slice(event.indexOf('.') + 1).replaceAll('_', ' ');
  const own = payload['name'] ?? payload['job'];
  const named = own === undefined ? subject : `${text(own)} on ${text(subject)}`;
  const reason = payload['reason'] ?? payload['error'] ?? payload['status'];
  const progress = event === 'drain.progress' ? `: ${text(payload['left'])} of ${text(payload['total'])} left` : '';
  return `${text(named)} ${what}${progress}${reason === undefined ? '' : `: ${text(reason)}`}`.slice(0, 300);
}

/** What has become of processes from one overview to the next. */
export function changesOf(before: Overview, after: Overview): { event: string; text: string; node?: string }[] {
  const known = new Map(before.processes.map((process) => [process.name, process]));
  return after.processes.flatMap((process) => {
    const was = known.get(process.name);
    if (was === undefined || (was.state === process.state && was.epoch === process.epoch)) return [];
    const event = `process.${process.state}`;
    return [{ event, text: changeText(was, process), ...(process.node === undefined ? {} : { node: process.node }) }];
  });
}

function changeText(was: ProcessSeen, { name, state, node, epoch, error }: ProcessSeen): string {
  const where = node === undefined ? '' : ` on ${node}`;
  const from = was.node !== undefined && was.node !== node ? `, before on ${was.node}` : '';
  const why = error === undefined || state === 'running' ? '' : `: ${error}`;
  return `${name} is ${state}${where}${epoch === undefined ? '' : ` with epoch ${epoch}`}${from}${why}`.slice(0, 300);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
