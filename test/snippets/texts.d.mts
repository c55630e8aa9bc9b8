import type { Fence } from './pages.mjs';

/** One sentence for each fence that is wrong. */
export function problemsOf(fences: readonly Fence[], root?: string): string[];
/** The file that a fence is a piece of, when it says one. */
export function listed(fence: Fence): string | undefined;
export function isShown(fence: Fence): boolean;
