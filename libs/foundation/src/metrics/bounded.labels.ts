/**
 * Keeps the number of values of a label small, whatever an application calls its processes and channels: a monitoring
 * system keeps a series for each, and thousands bring it down.
 */
import type { Labels } from './metric.definitions.js';

/** How many values a label of a metric has before the rest is `other`. */
export const MAX_VALUES = 100;
/** The value that stands for all that came too late. */
export const OTHER = 'other';
/** Longer values are cut; Prometheus recommends nothing, and our own names have up to 200 characters. */
const MAX_LENGTH = 200;

/** See the file header. */
export class BoundedLabels {
  readonly #seen = new Map<string, Set<string>>();

  constructor(private readonly max = MAX_VALUES) {}

  /** The labels of a metric, with `other` for values that are one too many. */
  of(metric: string, labels: Labels): Labels {
    const bounded: Record<string, string> = {};
    for (const [label, value] of Object.entries(labels)) bounded[label] = this.#bound(`${metric} ${label}`, value);
    return bounded;
  }

  #bound(key: string, value: string): string {
    const seen = this.#seen.get(key) ?? new Set();
    this.#seen.set(key, seen);
    const short = value.slice(0, MAX_LENGTH);
    if (seen.has(short)) return short;
    if (seen.size >= this.max) return OTHER;
    seen.add(short);
    return short;
  }
}
