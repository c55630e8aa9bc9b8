/**
 * The monotonic clock that leases live by; nothing else reads the time of the machine in lease code.
 * Underneath: `performance.now()` (CLOCK_MONOTONIC) and `os.uptime()` (which goes on while a virtual machine is suspended).
 */
import { uptime } from 'node:os';

/** `os.uptime()` opens a file each time, which is dear when it is read for every call, and it has steps of 10 ms anyway. */
const READ_EVERY_MS = 1;

const startedAt = performance.now();
const bootedAt = bootMs();
let sinceBoot = 0;
let readAt = startedAt;

/**
 * Milliseconds since this module was loaded; never goes back, and counts the time a suspended machine slept.
 *
 * Both clocks only rise, so the larger of the two does. After a suspension it may be late by one millisecond of running time
 * and by the step of `os.uptime()`; the margin of the lease covers both.
 */
export function monotonicNow(): number {
  const now = performance.now();
  if (now - readAt >= READ_EVERY_MS) {
    readAt = now;
    sinceBoot = bootMs() - bootedAt;
  }
  return Math.max(now - startedAt, sinceBoot);
}

function bootMs(): number {
  try {
    return uptime() * 1000;
  } catch {
    // Some sandboxes hide the uptime; then only CLOCK_MONOTONIC is left, and a suspended machine is found at renewal.
    return 0;
  }
}
