// Pure: the few statistics that the benchmarks use.

export function median(values) {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The least and the most; `undefined` without a number. */
export function spread(values) {
  const numbers = values.filter((value) => Number.isFinite(value));
  return numbers.length === 0 ? undefined : [Math.min(...numbers), Math.max(...numbers)];
}

/** Messages or calls a second. */
export function rate({ count, micros }) {
  return (count / micros) * 1e6;
}

/** Milliseconds of microseconds. */
export function latency(micros) {
  const sorted = Float64Array.from(micros).sort();
  if (sorted.length === 0) return undefined;
  const at = (q) => sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] / 1000;
  const avg = sorted.reduce((sum, value) => sum + value, 0) / sorted.length / 1000;
  return { n: sorted.length, avg, p50: at(0.5), p99: at(0.99), max: at(1) };
}

/**
 * Latencies of a run of any length in bounded memory. Average and maximum are exact; the quantiles are those of so many
 * values, each of the run as likely to be among them as any other (Vitter's algorithm R), not of its end alone.
 */
export class Latencies {
  #kept;
  #count = 0;
  #sum = 0;
  #max = 0;

  constructor(most = 100_000, random = Math.random) {
    this.#kept = new Float64Array(most);
    this.random = random;
  }

  clear() {
    this.#count = 0;
    this.#sum = 0;
    this.#max = 0;
  }

  add(micros) {
    const at = this.#count < this.#kept.length ? this.#count : Math.floor(this.random() * (this.#count + 1));
    if (at < this.#kept.length) this.#kept[at] = micros;
    this.#count += 1;
    this.#sum += micros;
    if (micros > this.#max) this.#max = micros;
  }

  summary() {
    const kept = latency(this.#kept.subarray(0, Math.min(this.#count, this.#kept.length)));
    return kept && { ...kept, n: this.#count, avg: this.#sum / this.#count / 1000, max: this.#max / 1000 };
  }
}
