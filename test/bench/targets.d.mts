export interface Reached {
  row: string;
  scenario: string;
  figure?: number;
  range?: [number, number];
  best?: string;
  absent?: string[];
  isMet?: boolean;
  isQuiet?: boolean;
  why?: string;
}
export function reached(documents: readonly object[]): Reached[];
