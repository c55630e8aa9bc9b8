// Redis and NATS of the benchmark's own, on free ports of 127.0.0.1, ended by their pid.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis } from '../../dist/test/support/redis-server.js';

// The default of 32mb 8mb 60 disconnects a subscriber that is slow for a moment.
const REDIS = ['--client-output-buffer-limit', 'pubsub 256mb 128mb 60'];

export async function startBrokers() {
  const redis = await startRedis({ args: REDIS });
  const nats = await startNats();
  return {
    urls: { redis: redis.adminUrl, nats: nats?.url },
    versions: { redis: /redis_version:(\S+)/.exec(await redis.cli('INFO', 'server'))?.[1], nats: nats?.version },
    pid: ({ broker }) => ({ redis: redis.pid, nats: nats?.pid })[broker],
    async stop() {
      await redis.stop();
      await nats?.stop();
    },
  };
}

/** `undefined` when there is no nats-server. */
async function startNats() {
  const folder = mkdtempSync(join(tmpdir(), 'foundation-nats-'));
  const child = spawn('nats-server', ['-a', '127.0.0.1', '-p', '-1'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  const listening = new Promise((resolve) => {
    child.once('error', () => resolve(undefined));
    child.once('exit', () => resolve(undefined));
    child.stdout.resume();
    child.stderr.on('data', (chunk) => {
      log += chunk;
      const port = /client connections on \S+?:(\d+)/.exec(log)?.[1];
      if (port !== undefined && log.includes('Server is ready')) resolve(port);
    });
  });
  const port = await listening;
  if (port === undefined) {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  return {
    url: `127.0.0.1:${port}`,
    pid: child.pid,
    version: /Version:\s+(\S+)/.exec(log)?.[1],
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}
