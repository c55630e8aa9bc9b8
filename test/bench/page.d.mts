/** The Markdown of docs/guarantees/benchmarks.md. */
export function page(whole: { documents: readonly object[]; wanted: readonly object[]; minutes: number }): string;
