/**
 * Abort signals of users: one listener of ours for each signal, however many calls were made with it. Node warns of a
 * leak from the eleventh on, and how many a signal may have is a setting of its owner, which is left alone.
 */

/** Throws the reason of a signal that is aborted; those of other realms and of packages may have no such method. */
export function requireNotAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw signal.reason === undefined ? new DOMException('This operation was aborted', 'AbortError') : signal.reason;
}

/** What waits for a signal; as long as there is any, a listener of ours is attached. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `listener` once when the signal is aborted, which it is not yet; the returned function takes it back. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  const listeners = waiting.get(signal) ?? attach(signal);
  listeners.add(listener);
  return () => {
    if (!listeners.delete(listener) || listeners.size > 0 || waiting.get(signal) !== listeners) return;
    waiting.delete(signal);
    detach.get(listeners)?.();
  };
}

const detach = new WeakMap<Set<() => void>, () => void>();

function attach(signal: AbortSignal): Set<() => void> {
  const listeners = new Set<() => void>();
  const aborted = (): void => {
    waiting.delete(signal);
    const all = [...listeners];
    listeners.clear();
    for (const each of all) each();
  };
  waiting.set(signal, listeners);
  detach.set(listeners, () => signal.removeEventListener('abort', aborted));
  signal.addEventListener('abort', aborted, { once: true });
  return listeners;
}

/**
 * As the work ends, or with the reason of the signal, whatever that is, as soon as it is aborted; the work itself goes
 * on.
 */
export async function heeding<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return work;
  requireNotAborted(signal);
  let unheed: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the reason is the user's
    unheed = onAbort(signal, () => reject(signal.reason));
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    unheed?.();
  }
}
