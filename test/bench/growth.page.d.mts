export interface GrowthDocument {
  rows: Readonly<Record<string, readonly Readonly<Record<string, number>>[]>>;
  about: readonly string[];
  command: string;
  quick?: boolean;
  missing: readonly string[];
}
export function exponent(points: readonly (readonly [number, number])[]): number | undefined;
export function plotsOf(document: Pick<GrowthDocument, 'rows'>): Record<string, string>;
export function growthPage(document: GrowthDocument): string;
