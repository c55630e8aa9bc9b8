/**
 * Starts a Redis server of the demo's own on a free port of 127.0.0.1, in a temporary folder, and stops it by its pid.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { until } from './until.js';

const START_MS = 10_000;
const STOP_MS = 3000;
const PORT_TRIES = 3;

/** A server that runs. */
export interface OwnServer {
  url: string;
  close(): Promise<void>;
  killNow(): void;
}

/** Tries another port when somebody else was faster; rejects with what the server wrote when it does not start. */
export async function startServer(
  command: string,
  args: (port: number, folder: string) => string[],
  signal: AbortSignal,
): Promise<OwnServer> {
  const folder = mkdtempSync(join(tmpdir(), 'foundation-demo-'));
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    const log = openSync(join(folder, 'server.log'), 'w');
    // A group of its own: Ctrl-C in the terminal must not end Redis before the nodes have drained.
    const server = spawn(command, args(port, folder), { cwd: folder, detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    server.once('error', () => undefined);
    reap(server, folder);
    const own = { url: `redis://127.0.0.1:${port}`, ...endings(server, folder) };
    try {
      await until(`${command} on port ${port}`, () => answers(port, server), { timeout: START_MS, signal });
      return own;
    } catch (error) {
      const written = readFileSync(join(folder, 'server.log'), 'utf8').slice(-2000);
      if (tries < PORT_TRIES && /address already in use|EADDRINUSE/i.test(written)) continue;
      await own.close();
      throw signal.aborted ? error : new Error(`${command} did not start. It wrote:\n${written}`, { cause: error });
    }
  }
}

function endings(server: ChildProcess, folder: string): Pick<OwnServer, 'close' | 'killNow'> {
  return {
    async close() {
      if (isRunning(server)) {
        const ended = once(server, 'exit');
        server.kill('SIGTERM');
        const impatience = setTimeout(() => server.kill('SIGKILL'), STOP_MS);
        await ended;
        clearTimeout(impatience);
      }
      rmSync(folder, { recursive: true, force: true });
    },
    killNow() {
      server.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answers(port: number, server: ChildProcess): Promise<boolean> {
  if (!isRunning(server)) throw new Error(`it ended (${server.signalCode ?? server.exitCode})`);
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}

function isRunning(server: ChildProcess): boolean {
  return server.pid !== undefined && server.exitCode === null && server.signalCode === null;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A shell that reads from us sees its input end when the demo dies, even by SIGKILL, and ends the server then. */
function reap(server: ChildProcess, folder: string): void {
  if (server.pid === undefined || process.platform === 'win32') return;
  const script = 'read -r never; kill -9 "$0"; rm -rf "$1"';
  const reaper = spawn('/bin/sh', ['-c', script, String(server.pid), folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  reaper.unref();
  (reaper.stdin as unknown as Socket).unref();
  server.once('exit', () => reaper.kill('SIGKILL'));
}
