// Builds the site into dist/site: the pages of docs/, the API of the package beside them, and all of it as Markdown.
import { cpSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'vitepress';
import { writeApi } from './api.mjs';
import { DOCS, SITE_SOURCE } from './pages.mjs';

const here = import.meta.dirname;

rmSync(SITE_SOURCE, { recursive: true, force: true });
cpSync(DOCS, SITE_SOURCE, { recursive: true });
await writeApi(join(SITE_SOURCE, 'reference/api'));
process.env.FOUNDATION_SITE_SOURCE = SITE_SOURCE;
await build(here, { outDir: resolve(here, '../dist/site') });
