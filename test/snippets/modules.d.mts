import type { Fence } from './pages.mjs';

export interface SnippetModule {
  name: string;
  page: string;
  language: string;
  /** Of its first fence. */
  line: number;
  text: string;
  isRun: boolean;
}
/** The fences of TypeScript and JavaScript as modules. */
export function modulesOf(fences: readonly Fence[]): SnippetModule[];
/** What a running module has to print. */
export function outputOf(module: Pick<SnippetModule, 'page' | 'line'>, fences: readonly Fence[]): string | undefined;
/** The text with the imports that nobody wrote. */
export function withImports(
  module: Pick<SnippetModule, 'name' | 'text'>,
  exported: Readonly<Record<string, readonly string[]>>,
): string;
