/**
 * Topics inside one process. No other node listens, and a publisher does not hear itself, so a text goes nowhere.
 * Called by the channels when the configuration is not clustered; they deliver to local handlers themselves.
 */
import type { Transport } from './transport.js';

/** See {@link Transport}. */
export class LocalTransport implements Transport {
  publish(): Promise<number | undefined> {
    return Promise.resolve(0);
  }

  onInterrupted(): () => void {
    return () => undefined;
  }

  subscribe(): Promise<() => Promise<void>> {
    return Promise.resolve(() => Promise.resolve());
  }
}
