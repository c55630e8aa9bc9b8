// A child process: boots an application with the options of its first argument and prints what was loaded for it.
import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { createRequire, register } from 'node:module';

const require = createRequire(import.meta.url);
const [options, log] = process.argv.slice(2);
register('./hooks.mjs', { parentURL: import.meta.url, data: { log } });

const { Module } = await import('@nestjs/common');
const { NestFactory } = await import('@nestjs/core');
const { FoundationModule, ProcessManager } = await import('../../../libs/foundation/src/index.ts');

class App {}
Module({ imports: [FoundationModule.forRoot(...JSON.parse(options))] })(App);
const app = await NestFactory.createApplicationContext(App, { logger: false });
const processes = await app
  .get(ProcessManager)
  .list()
  .catch((error) => error.code);
await app.close();

// What `require` loaded does not pass the hooks, and is in its cache.
const loaded = [...readFileSync(log, 'utf8').trim().split('\n'), ...Object.keys(require.cache)];
const packages = loaded.flatMap((path) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []);
const sources = loaded.flatMap((path) => /\/libs\/foundation\/src\/(.+)$/.exec(path)?.[1] ?? []);
console.log(JSON.stringify({ packages: [...new Set(packages)], sources: [...new Set(sources)], processes }));
