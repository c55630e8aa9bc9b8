// What one Redis server does with the ticks of a job, as a model in this process: the scripts of `tick.scripts.ts` in
// TypeScript, with a clock of its own. `test/integration/ticks.contract.spec.ts` holds the Lua itself to the
// same contract.
import type { Redis } from 'ioredis';
import {
  BELIEVED_AHEAD_MS,
  isLater,
  MOST_AHEAD_MS,
  revisionOf,
} from '../../../libs/foundation/src/backend/leases/ticks.js';
import { commandsOver, type RemoteCalls } from './remote.calls.js';

interface Hash {
  epoch: number;
  claimed: number;
  claim: string;
  record: string;
}

/** See the file header. */
export class TickServer {
  readonly #hashes = new Map<string, Hash>();

  constructor(private readonly now: () => number) {}

  /** The scripts, as the client of one node has them. */
  clientOf(calls: RemoteCalls, node: string): Redis {
    const command = commandsOver(calls, node);
    return {
      foundationTicksOpen: command('opens', ([key], [epoch]) => this.#open(key!, Number(epoch))),
      foundationTicksWrite: command('writes', ([key], args) => this.#write(key!, args)),
      foundationTicksRead: command('reads', (keys) => keys.flatMap((key) => this.#read(key))),
      foundationTicksRestore: command('restores', (keys, [, ...args]) => {
        keys.forEach((key, index) => this.#restore(key, args.slice(index * 3)));
        return 1;
      }),
    } as unknown as Redis;
  }

  #of(key: string): Hash {
    return this.#hashes.get(key) ?? { epoch: 0, claimed: 0, claim: '', record: '' };
  }

  #believed(claimed: number): number {
    return claimed <= this.now() + BELIEVED_AHEAD_MS ? claimed : 0;
  }

  #open(key: string, epoch: number): unknown {
    const kept = this.#of(key);
    if (kept.epoch > epoch) return '';
    this.#hashes.set(key, { ...kept, epoch });
    return [String(kept.epoch), String(kept.claimed), kept.record, ''];
  }

  #write(key: string, [epochText, , record, , , at, id]: string[]): string {
    const [kept, epoch] = [this.#of(key), Number(epochText)];
    if (kept.epoch > epoch) return 'stale';
    if (kept.epoch === epoch && revisionOf(kept.record) > revisionOf(record!)) return 'late';
    let { claimed, claim } = kept;
    if (at !== undefined) {
      const time = Number(at);
      if (time > this.now() + MOST_AHEAD_MS) return 'early';
      claimed = this.#believed(claimed);
      if (time < claimed || (time === claimed && id !== claim)) return 'taken';
      [claimed, claim] = [time, id!];
    }
    this.#hashes.set(key, { epoch, claimed, claim, record: record! });
    return 'done';
  }

  #read(key: string): string[] {
    const { epoch, claimed, record } = this.#of(key);
    return this.#hashes.has(key) ? [String(epoch), String(claimed), record] : ['', '', ''];
  }

  #restore(key: string, [epochText, claimedText, record]: string[]): void {
    const kept = this.#of(key);
    const put = { epoch: Number(epochText), record: record! };
    const now = this.now() * 1000;
    if (kept.epoch > put.epoch || (put.epoch > now && kept.epoch !== 0 && kept.epoch !== put.epoch)) return;
    const claimed = Math.max(Number(claimedText), this.#believed(kept.claimed));
    const later = isLater(put, kept) ? put : kept;
    const claim = claimed > kept.claimed ? '' : kept.claim;
    this.#hashes.set(key, {
      ...{ record: later.record, epoch: Math.max(kept.epoch, Math.min(put.epoch, now)) },
      ...{ claimed, claim },
    });
  }
}
