import type { SnippetModule } from './modules.mjs';

/** Writes and compiles modules; what the compiler says, with places on pages. */
export function compile(modules: readonly SnippetModule[]): string[];
