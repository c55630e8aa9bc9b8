/**
 * Ends the processes of a test when the test is gone, however it goes. Underneath a shell of its own for each, which
 * reads from the test and sees its input end; and a look at the runner, which a worker of Jest or Vitest outlives.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { type Socket } from 'node:net';

/** How often a worker looks whether its runner is there. */
const LOOK_EVERY_MS = 500;

/** By process, the end of the input of its shell. */
const reaped = new Map<ChildProcess, () => void>();
let watch: NodeJS.Timeout | undefined;
let isAlone = false;

/** Ends the process with SIGKILL, frozen or not, and removes its folder, when this process dies without doing so. */
export function reap(child: ChildProcess, pid: number, folder = ''): void {
  // What others still write into the folder ends with them.
  const script = 'read -r never; kill -9 "$0"; [ -z "$1" ] || rm -rf "$1" || { sleep 1; rm -rf "$1"; }';
  const reaper = spawn('/bin/sh', ['-c', script, String(pid), folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  reaper.on('error', () => undefined); // Windows has no shell there; the child itself sees its channel close
  reaper.stdin.on('error', () => undefined);
  reaper.unref();
  (reaper.stdin as unknown as Socket).unref();
  reaped.set(child, () => reaper.stdin.end());
  child.once('exit', () => {
    reaped.delete(child);
    // It has still to remove the folder when it is the one that has ended the process.
    if (!isAlone) reaper.kill('SIGKILL');
    if (reaped.size > 0) return;
    clearInterval(watch);
    watch = undefined;
  });
  watch ??= watchRunner();
}

/** A worker goes on with its test when its runner is killed, and its nodes with it. */
function watchRunner(): NodeJS.Timeout | undefined {
  if (process.send === undefined) return undefined;
  const runner = process.ppid;
  return setInterval(() => {
    if (isThere(runner)) return;
    isAlone = true;
    for (const end of reaped.values()) end();
  }, LOOK_EVERY_MS).unref();
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
