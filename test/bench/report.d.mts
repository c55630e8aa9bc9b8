interface Medians {
  rate: number;
  latency: { p50?: number };
  cpu: { sender: number; all: number };
}
export function markdown(document: object): string;
export function missing(document: object): string[];
export function medians(
  samples: Readonly<Record<string, readonly object[]>>,
): Record<string, Medians & { spread: { rate: [number, number] } }>;
