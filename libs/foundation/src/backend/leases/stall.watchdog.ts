/**
 * Ends this process when its event loop is blocked past the deadline of a lease: nothing else can stop code that never
 * returns. Used by `redlock.leases.ts` with `lease.onStall: 'exit'`; underneath a worker thread and SIGKILL.
 */
import { Worker } from 'node:worker_threads';

/** How long after the deadline the main thread may still be on its way to fence itself, in milliseconds. */
const SLACK_MS = 25;

/** Runs in the thread: sleeps until the deadline, and ends the process unless it was moved by then. */
const THREAD = `
const { workerData } = require('node:worker_threads');
const deadline = new BigInt64Array(workerData.shared);
for (;;) {
  const seen = Atomics.load(deadline, 0);
  const left = seen === 0n ? Infinity : Number(seen - process.hrtime.bigint() / 1000000n);
  if (left <= 0) {
    require('node:fs').writeSync(2, workerData.message);
    process.kill(process.pid, 'SIGKILL');
  }
  Atomics.wait(deadline, 0, seen, left === Infinity ? undefined : left);
}
`;

/** See the file header. */
export class StallWatchdog {
  readonly #deadline = new BigInt64Array(new SharedArrayBuffer(8));
  readonly #thread: Worker;

  constructor(node: string) {
    const message =
      `Node "${node}" was blocked past the deadline of its leases (lease.onStall: 'exit'). Foundation ended the process, ` +
      `so that no other node runs beside it. Look for synchronous work that takes longer than lease.ttl.\n`;
    this.#thread = new Worker(THREAD, { eval: true, workerData: { shared: this.#deadline.buffer, message } });
    this.#thread.unref();
  }

  /** The process ends unless this is called again within `ms`; `undefined` = nothing is owned, nothing to watch. */
  expectWithin(ms: number | undefined): void {
    const at = ms === undefined ? 0n : process.hrtime.bigint() / 1_000_000n + BigInt(Math.ceil(ms + SLACK_MS));
    Atomics.store(this.#deadline, 0, at);
    Atomics.notify(this.#deadline, 0);
  }

  async close(): Promise<void> {
    this.expectWithin(undefined);
    await this.#thread.terminate();
  }
}
