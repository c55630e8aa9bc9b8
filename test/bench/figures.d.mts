export function median(values: readonly (number | undefined)[]): number | undefined;
export function spread(values: readonly (number | undefined)[]): [number, number] | undefined;
export class Latencies {
  constructor(most?: number, random?: () => number);
  clear(): void;
  add(micros: number): void;
  summary(): { n: number; avg: number; p50: number; p99: number; max: number } | undefined;
}
