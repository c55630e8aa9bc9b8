// How long a phase runs before it counts. By count, not by time: the JIT compiles what ran often, and a slow peer that
// is warmed up for a fixed time is measured cold.

/** Before the first repetition. 20 MB or so, as optimized code also depends on what the messages hold. */
export function warmUp(size) {
  return Math.max(3000, Math.min(60_000, Math.round(20e6 / size)));
}

/** A peer that is this slow is warm when this time is over, whatever the count. */
export const WARM_SECONDS = 3;

/** With `--quick`: the code is warm, but not all that it calls. */
export const QUICK = 0.4;

/** Before each later one: others had the processor in between. */
export const AGAIN = 0.1;
