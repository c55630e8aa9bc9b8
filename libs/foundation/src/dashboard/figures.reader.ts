/**
 * The figures of the cluster for the pages: what one viewer asks for, all get for a moment, so that many of them cost
 * the nodes no more than one.
 * Underneath `ClusterFigures`, a call to each node.
 */
import { Inject, Injectable } from '@nestjs/common';
import { ClusterFigures, type WorkHistory, type WorkOfCluster } from '../metrics/cluster.figures.js';
import { keyOf, type SeriesName } from '../telemetry/figures.report.js';

/** How long an answer is kept, in milliseconds. */
const FRESH_MS = 2000;
/** Answers that are kept: the charts that are open. */
const MAX_KEPT = 50;
/** Methods, handlers and jobs that a page gets, the busiest first. */
const MAX_WORK = 300;

/** See the file header. */
@Injectable()
export class FiguresReader {
  readonly #kept = new Map<string, { at: number; answer: Promise<unknown> }>();

  constructor(@Inject(ClusterFigures) private readonly figures: ClusterFigures) {}

  /** Of the last minute. */
  work(): Promise<WorkOfCluster & { leftOut: number }> {
    return this.#fresh('', async () => {
      const { work, silent } = await this.figures.read();
      return { work: work.slice(0, MAX_WORK), leftOut: Math.max(0, work.length - MAX_WORK), silent };
    });
  }

  /** The last hour of one series. */
  history(name: SeriesName): Promise<WorkHistory> {
    return this.#fresh(keyOf(name), () => this.figures.history(name));
  }

  #fresh<T>(key: string, read: () => Promise<T>): Promise<T> {
    const now = performance.now();
    for (const [each, { at }] of this.#kept) if (now - at > FRESH_MS) this.#kept.delete(each);
    const known = this.#kept.get(key);
    if (known !== undefined) return known.answer as Promise<T>;
    if (this.#kept.size >= MAX_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    const answer = read();
    this.#kept.set(key, { at: now, answer });
    return answer;
  }
}
