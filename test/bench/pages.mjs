// What the pages that a benchmark writes have in common: of what machine and versions they are, and their formatting.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { startRedis } from '../../dist/test/support/redis-server.js';
import { machine, othersNow } from './machine.mjs';
import { loudly } from './report.mjs';

const ROOT = resolve(import.meta.dirname, '../..');

/** Lines: when, where, with what. */
export async function aboutRun(minutes, others, more = []) {
  const after = await othersNow();
  const { cores, model, kernel, gigabytes } = machine();
  const { version, dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const { ioredis, bullmq, '@nestjs/core': nest } = dependencies;
  return [
    `Taken ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC at commit ${commit()}, in ${minutes} minutes`,
    `Machine: ${cores} cores, ${model}; ${kernel}; ${gigabytes} GB of memory; everything on 127.0.0.1`,
    `Node.js ${process.versions.node}; Redis ${await redisVersion()}; Foundation ${version} with ioredis ${ioredis}, bullmq ${bullmq}, redlock ${devDependencies.redlock}, @nestjs/core ${nest}`,
    `Cores used by others before and after it: ${loudly(others)} and ${loudly(after)}`,
    ...more,
  ];
}

/** As Prettier has it, so that a check after it finds nothing. */
export async function writePage(text, file) {
  const path = resolve(file);
  mkdirSync(dirname(path), { recursive: true });
  const config = await resolveConfig(join(ROOT, 'docs/index.md'));
  writeFileSync(path, await format(text, { ...config, parser: 'markdown' }));
  console.error(`Written: ${path}`);
}

async function redisVersion() {
  const redis = await startRedis();
  try {
    return /redis_version:(\S+)/.exec(await redis.cli('INFO', 'server'))?.[1];
  } finally {
    await redis.stop();
  }
}

function commit() {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
