// Pure: the few statistics that the benchmarks use.

export function median(values) {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Milliseconds of microseconds. */
export function latency(micros) {
  const sorted = Float64Array.from(micros).sort();
  if (sorted.length === 0) return undefined;
  const at = (q) => sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] / 1000;
  const avg = sorted.reduce((sum, value) => sum + value, 0) / sorted.length / 1000;
  return { n: sorted.length, avg, p50: at(0.5), p99: at(0.99), max: at(1) };
}
