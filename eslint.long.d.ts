export const MAX_LINES: number;
export const LONG_FILES: readonly string[];
