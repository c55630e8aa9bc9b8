/**
 * The monotonic clock that leases live by; nothing else reads the time of the machine in lease code.
 * Underneath: `performance.now()` (CLOCK_MONOTONIC) and `os.uptime()` (which goes on while a virtual machine is suspended).
 */
import { uptime } from 'node:os';

const startedAt = performance.now();
const bootedAt = bootMs();

/**
 * Milliseconds since this module was loaded; never goes back, and counts the time a suspended machine slept.
 *
 * Both clocks only rise, so the larger of the two does. `os.uptime()` has steps of 10 ms, which the lease margin covers.
 */
export function monotonicNow(): number {
  return Math.max(performance.now() - startedAt, bootMs() - bootedAt);
}

function bootMs(): number {
  try {
    return uptime() * 1000;
  } catch {
    // Some sandboxes hide the uptime; then only CLOCK_MONOTONIC is left, and a suspended machine is found at renewal.
    return 0;
  }
}
