import type { SnippetModule } from './modules.mjs';
import type { Fence } from './pages.mjs';

/** What it printed; rejects when it fails, or does not end in time. */
export function runModule(
  module: Pick<SnippetModule, 'name'> & { expected?: string | undefined },
  env: Readonly<Record<string, string>>,
): Promise<string>;
/** A node that goes on; resolves when it has started. */
export function startModule(
  module: Pick<SnippetModule, 'name'>,
  env: Readonly<Record<string, string>>,
): Promise<{ stop(): Promise<string> }>;
export function runShell(
  fence: Pick<Fence, 'text'>,
  env: Readonly<Record<string, string>>,
  redis: { redisCli?: string; redisUrl: string },
): Promise<string>;
/** The expected lines that are not there, in this order. */
export function missingLines(expected: string, output: string): string[];
