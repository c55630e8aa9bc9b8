/**
 * Calls to Redis on behalf of a caller: its errors become ours, and a short outage fails nothing that may be done
 * twice. Used by the facade and its parts.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { ClusterView } from '../cluster/cluster.view.js';
import { RedisUnavailableError } from '../errors/connection.errors.js';
import { inRedis } from '../errors/refusal.js';

/** A Redis that is away for less long fails no start: a caller that sees an error repeats what may have run. */
const BLIP_MS = 2000;
const BLIP_RETRY_MS = 100;

/** See the file header. */
export class Patience {
  /** @param endpoint of Redis, for errors. */
  constructor(
    private readonly endpoint: string,
    private readonly membership: Pick<ClusterView, 'state' | 'whenReady' | 'requireConnected'>,
  ) {}

  /** Calls once. The errors of ioredis become ours, with the raw one as cause. */
  async once<R>(doing: string, call: () => Promise<R>): Promise<R> {
    this.membership.requireConnected();
    if (this.membership.state === 'joining') await this.membership.whenReady();
    return inRedis(this.endpoint, doing, call);
  }

  /** The same, retried for as long as a blip may last; only for what may be done twice. */
  async retry<R>(doing: string, call: () => Promise<R>): Promise<R> {
    const patient = this.overBlips(doing);
    for (;;) {
      const done = await patient(async () => ({ result: await call() }));
      if (done !== undefined) return done.result;
      await pause(BLIP_RETRY_MS);
    }
  }

  /** What it returns resolves with `undefined` instead of an error until Redis has been away for longer than a blip. */
  overBlips(doing: string): <R>(call: () => Promise<R>) => Promise<R | undefined> {
    let since: number | undefined;
    return async (call) => {
      try {
        const result = await this.once(doing, call);
        since = undefined;
        return result;
      } catch (error) {
        since ??= performance.now();
        if (!(error instanceof RedisUnavailableError) || performance.now() - since >= BLIP_MS) throw error;
        return undefined;
      }
    };
  }
}
