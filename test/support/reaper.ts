// Ends a process of a test that dies without doing so itself, and removes its folder.
import { type ChildProcess, spawn } from 'node:child_process';
import { type Socket } from 'node:net';

// A shell that reads from us sees its input end when this process dies, however it dies. Jest calls no exit handlers.
export function reap(child: ChildProcess, pid: number, folder: string): void {
  const script = 'read -r never; kill -9 "$0"; rm -rf "$1"';
  const reaper = spawn('/bin/sh', ['-c', script, String(pid), folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  reaper.unref();
  (reaper.stdin as unknown as Socket).unref();
  child.once('exit', () => reaper.kill('SIGKILL'));
}
