/**
 * The monotonic clock that leases live by; nothing else reads the time of the machine in lease code.
 * Underneath: `performance.now()` (CLOCK_MONOTONIC) and `os.uptime()` (which goes on while a virtual machine is
 * suspended).
 */
import { uptime } from 'node:os';

/** `os.uptime()` opens a file each time, expensive per call. */
const READ_EVERY_MS = 1;
/**
 * By how much the uptime may be ahead of the other clock without a suspension: it has steps of 10 ms, or whole seconds.
 */
const FINE_STEP_MS = 20;
const COARSE_STEP_MS = 1000;

/** The clocks of a machine; a test has its own. */
export interface MachineClocks {
  now: () => number;
  /** Milliseconds, or `undefined` where it is unknown. */
  sinceBoot: () => number | undefined;
}

/**
 * Makes a clock in milliseconds since now that never goes back and counts the time a suspended machine slept.
 *
 * Only what exceeds the step of the uptime counts as sleep, and is kept: an uptime in whole seconds, or one that fails,
 * must never move the clock, because a renewal that is dated too late would let an owner outlive its lease. After a
 * suspension the clock may be late by a millisecond of running time and by the step; what an owner does in it is caught
 * by its epoch.
 */
export function createClock({ now, sinceBoot }: MachineClocks): () => number {
  const startedAt = now();
  const bootedAt = sinceBoot();
  let step = COARSE_STEP_MS;
  let slept = 0;
  let readAt = startedAt;
  return () => {
    const at = now();
    if (at - readAt >= READ_EVERY_MS && bootedAt !== undefined) {
      readAt = at;
      const boot = sinceBoot();
      if (boot !== undefined) {
        if (!Number.isInteger(boot / 1000)) step = FINE_STEP_MS;
        slept = Math.max(slept, boot - bootedAt - (at - startedAt) - step);
      }
    }
    return at - startedAt + slept;
  };
}

/** Milliseconds since this module was loaded; see {@link createClock}. */
export const monotonicNow = createClock({ now: () => performance.now(), sinceBoot });

function sinceBoot(): number | undefined {
  // On macOS `performance.now()` counts sleep itself.
  if (process.platform === 'darwin') return undefined;
  try {
    return uptime() * 1000;
  } catch {
    // Some sandboxes hide the uptime; then only CLOCK_MONOTONIC is left, and a suspended machine is found at renewal.
    return undefined;
  }
}
