/**
 * Starts the embedded Redis of development in a process of its own, which outlives this one and ends by itself.
 * Called by the search for Redis; underneath `child_process.fork` of `embedded.server.js`.
 */
import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '../errors/describe.js';
import type { EmbeddedStart } from './embedded.server.js';

/** It takes about 200 ms. */
const START_MS = 10_000;

/** How to get the package. Without the Nest CLI: docs/guides/redis.md. */
export const INSTALL_EMBEDDED = 'npx nest add nestjs-foundation --embedded-redis';

/** A bundler may leave no such thing; then it is looked for where the process was started. */
const ownFolder = (): string => import.meta.dirname ?? '';

/** Never rejects; resolves when it listens, or when it is clear that it will not. */
export function startEmbeddedRedis(host: string, port: number, folder = ownFolder()): Promise<EmbeddedStart> {
  const program = join(folder, 'embedded.server.js');
  if (!existsSync(program)) {
    const reason = `${program} is not there; in a bundle leave nestjs-foundation external, or start a Redis`;
    return Promise.resolve({ state: 'failed', reason });
  }
  const child = fork(program, [host, String(port)], {
    // A session of its own: what ends this process, such as Ctrl-C, is not meant for the other nodes' Redis.
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    // Nothing of this process: no secret of its environment, no debugger, no folder that could not be removed then.
    env: {},
    execArgv: [],
    cwd: tmpdir(),
  });
  return new Promise((resolve) => {
    const done = (start: EmbeddedStart): void => {
      clearTimeout(timer);
      if (child.connected) child.disconnect();
      child.unref();
      resolve(start);
    };
    const fail = (reason: string): void => done({ state: 'failed', reason });
    const timer = setTimeout(() => {
      child.kill();
      fail(`it did not start within ${START_MS} ms`);
    }, START_MS);
    child.once('message', (start) => done(start as EmbeddedStart));
    child.once('error', (error) => fail(describe(error)));
    child.once('exit', (code, signal) => fail(`it ended with ${signal ?? code}`));
  });
}
