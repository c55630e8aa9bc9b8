/**
 * The files of the page, as texts. From the sources they are read beside this file; the build writes them into the
 * module that stands in its place (`stage.mjs`): a bundler takes the code and leaves the files.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const PAGE = join(import.meta.dirname, 'page');

/** Name → text: the page, its style and its modules. */
export const PAGE_FILES: Readonly<Record<string, string>> = Object.fromEntries(
  readdirSync(PAGE).map((name) => [name, readFileSync(join(PAGE, name), 'utf8')]),
);
