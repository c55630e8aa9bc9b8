export interface Level {
  key: string;
  group: string;
  title: string;
  unit: string;
  seed: number;
  ours?: number;
  isLeast?: boolean;
}
export interface LevelReached extends Level {
  figure?: number;
  n?: number;
  others?: number;
  note?: string;
  isMet?: boolean;
  isOurs?: boolean;
  isQuiet?: boolean;
  why?: string;
}
export const LEVELS: readonly Level[];
export function figuresOf(document: object): Record<string, { figure?: number; n?: number; note?: string }>;
export function judged(figures: Readonly<Record<string, object>>): LevelReached[];
export function isBeyond(rows: readonly LevelReached[]): boolean;
export function servicePage(document: {
  rows: readonly LevelReached[];
  about: readonly string[];
  command: string;
  quick?: boolean;
  missing?: readonly string[];
}): string;
