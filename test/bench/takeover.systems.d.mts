export interface System {
  key: string;
  kind: string;
  title: string;
  how: string;
  pairs: number;
  slow?: boolean;
  settings: object;
}
export const SYSTEMS: readonly System[];
export function takeoverPage(document: {
  samples: Readonly<Record<string, readonly number[]>>;
  failed?: Readonly<Record<string, string>>;
  lookups?: readonly { title: string; how: string; micros?: number; knownMs?: string }[];
  versions: Readonly<Record<string, string>>;
  about: readonly string[];
  command: string;
  quick?: boolean;
}): string;
