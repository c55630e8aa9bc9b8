// What is said of many samples of a time.

/** `n=20 p50 1253 ms, p99 1502 ms, max 1502 ms`. */
export function summary(samples: readonly number[]): string {
  const { n, p50, p99, max } = quantiles(samples);
  return `n=${n} p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`;
}

export function quantiles(samples: readonly number[]): { n: number; p50: number; p99: number; max: number } {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (q: number): number =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? NaN) * 10) / 10;
  return { n: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}
