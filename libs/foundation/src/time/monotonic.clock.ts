/**
 * The monotonic clock that leases live by; nothing else reads the time of the machine in lease code.
 * Underneath: `performance.now()` (CLOCK_MONOTONIC) and `os.uptime()` (which goes on while a virtual machine is
 * suspended); `Date.now()` says when to look at the latter.
 */
import { uptime } from 'node:os';

/** `os.uptime()` opens a file each time: 5 µs, where `performance.now()` and `Date.now()` take 0.05. */
const READ_EVERY_MS = 1;
/** Unless the wall clock says that it was not disturbed. */
const READ_QUIET_EVERY_MS = 20;
/** The wall clock moves by a suspension as the uptime does; it is slewed by half a millisecond a second at most. */
const QUIET_MS = 2;
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
  /** The wall clock in milliseconds; it says when to look at the uptime, and never what the time is. */
  wall: () => number;
}

/**
 * Makes a clock in milliseconds since now that never goes back and counts the time a suspended machine slept.
 *
 * Only what exceeds the step of the uptime counts as sleep, and is kept: an uptime in whole seconds, or one that fails,
 * must never move the clock, because a renewal that is dated too late would let an owner outlive its lease. After a
 * suspension the clock may be late by a millisecond of running time and by the step; what an owner does in it is caught
 * by its epoch.
 */
export function createClock({ now, sinceBoot, wall }: MachineClocks): () => number {
  const startedAt = now();
  const bootedAt = sinceBoot();
  let step = COARSE_STEP_MS;
  let slept = 0;
  let readAt = startedAt;
  let offset = wall() - startedAt;
  // INVARIANT (I1): a suspension is seen within a millisecond of running time, or within 20 when somebody sets the wall
  // clock back by just its length at the same moment.
  const isDue = (at: number): boolean => {
    if (at - readAt < READ_EVERY_MS) return false;
    return at - readAt >= READ_QUIET_EVERY_MS || Math.abs(wall() - at - offset) >= QUIET_MS;
  };
  return () => {
    const at = now();
    if (bootedAt !== undefined && isDue(at)) {
      readAt = at;
      offset = wall() - at;
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
export const monotonicNow = createClock({ now: () => performance.now(), sinceBoot, wall: () => Date.now() });

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
