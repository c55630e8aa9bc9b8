// What Redis does with leases, as a model in this process: the scripts of `lease.scripts.ts` in TypeScript, with a
// clock, leases that expire, and data that can be lost. `test/integration/scripts` holds the Lua itself to the same.
import type { Redis } from 'ioredis';
import type Redlock from 'redlock';
import type { Lock } from 'redlock';
import { commandsOver, type RemoteCalls } from './remote.calls.js';

/** By its clock, which is ahead of that of all nodes. */
const AHEAD_MS = 1_800_000_000_000;

/** See the file header. */
export class LeaseServer {
  readonly #leases = new Map<string, { token: string; until: number; takenAt: number }>();
  readonly #epochs = new Map<string, number>();
  /** Epochs that owners were shown with. */
  readonly #owners = new Map<string, { token: string; node: string; epoch: number }>();
  #since = 0;

  constructor(
    private readonly time: () => number,
    private readonly graceMs: number,
  ) {
    this.#since = this.now() - 10 * graceMs;
  }

  now(): number {
    return Math.floor(this.time() + AHEAD_MS);
  }

  /** All that it knew is gone. */
  lose(): void {
    this.#leases.clear();
    this.#epochs.clear();
    this.#owners.clear();
    this.#since = this.now();
  }

  /** The highest that a life of its data before this one may have given. */
  get least(): number {
    return (this.#since + 1) * 1000;
  }

  epochOf(epoch: string): number | undefined {
    return this.#epochs.get(epoch);
  }

  /** Whom a lookup names: the node that its lease and its record are of. */
  named(lease: string, owner: string): string | undefined {
    const token = this.tokenOf(lease);
    const record = this.#owners.get(owner);
    return token !== undefined && record?.token === token ? record.node : undefined;
  }

  /** When it was taken by an acquisition, by the clock of the nodes. */
  takenAt(lease: string): number {
    return this.#leases.get(lease)?.takenAt ?? -Infinity;
  }

  tokenOf(lease: string): string | undefined {
    const held = this.#leases.get(lease);
    return held !== undefined && held.until > this.now() ? held.token : undefined;
  }

  /** The scripts, as the client of one node has them. */
  clientOf(calls: RemoteCalls, node: string): Redis {
    const command = commandsOver(calls, node);
    const farewell = command('says farewell', ([lease, owner], [token]) => {
      if (this.#owners.get(owner!)?.token === token) this.#owners.delete(owner!);
      return this.free(lease!, token!);
    });
    return {
      foundationLeaseMint: command('mints', (keys, args) => this.#mint(keys, args)),
      foundationLeaseRenew: command('renews', (keys, args) => this.#renew(keys, args)),
      foundationLeaseRecover: command('recovers', (keys, args) => this.#recover(keys, args)),
      // Another try would wait by the clock of the machine.
      foundationLeaseFarewell: (count: number, ...rest: string[]) => farewell(count, ...rest).catch(() => 1),
    } as unknown as Redis;
  }

  /** As Redlock, one attempt at a time. */
  redlockOf(calls: RemoteCalls, node: string): Redlock {
    let count = 0;
    const acquire = async ([lease]: string[], ttl: number): Promise<Lock> => {
      const value = `${node}-${(count += 1)}`;
      const isTaken = await calls.call(`${node} takes`, async () => this.#take(lease!, value, ttl));
      if (isTaken) return { value, resources: [lease] } as unknown as Lock;
      const locked = Object.assign(new Error('locked'), { name: 'ResourceLockedError' });
      const votes = { votesFor: new Set(), votesAgainst: new Map([[1, locked]]) };
      throw Object.assign(new Error('no quorum'), { attempts: [Promise.resolve(votes)] });
    };
    const release = ({ value, resources: [lease] }: Lock & { resources: string[] }): Promise<number> =>
      calls.call(`${node} frees`, async () => this.free(lease!, value));
    return { clients: new Set([1]), acquire, release, on: () => undefined } as unknown as Redlock;
  }

  free(lease: string, token: string): number {
    if (this.tokenOf(lease) === token) this.#leases.delete(lease);
    return 1;
  }

  #take(lease: string, token: string, ttl: number): boolean {
    if (this.#graceLeft(this.graceMs) > 0 || this.tokenOf(lease) !== undefined) return false;
    this.#leases.set(lease, { token, until: this.now() + ttl, takenAt: this.time() });
    return true;
  }

  #graceLeft(ms: number): number {
    return Math.max(0, this.#since + ms - this.now());
  }

  #mint([, lease, epoch, owner]: string[], [token, grace, node, , , above]: string[]): unknown {
    if (this.tokenOf(lease!) !== token || this.#graceLeft(Number(grace)) > 0) return '';
    const record = { token: token!, node: node! };
    return [this.#next(epoch!, owner!, record, Math.max(Number(above), this.least)), '', '', ''];
  }

  #next(epoch: string, owner: string, record: { token: string; node: string }, above: number): string {
    const minted = Math.max((this.#epochs.get(epoch) ?? 0) + 1, above + 1, this.now() * 1000);
    this.#epochs.set(epoch, minted);
    this.#owners.set(owner, { ...record, epoch: minted });
    return String(minted);
  }

  #isInTime(sent: string, wait: number): boolean {
    return Number(sent) >= 0 && this.now() - Number(sent) <= wait;
  }

  #renew(leases: string[], [ttl, sent, wait, ...tokens]: string[]): unknown {
    const isFresh = this.#isInTime(sent!, Number(wait)) || Number(sent) < 0;
    const answers = leases.map((lease, index) => {
      if (!isFresh) return '';
      const token = this.tokenOf(lease);
      if (token !== tokens[index]) return token === undefined ? 0 : -1;
      this.#leases.get(lease)!.until = this.now() + Number(ttl);
      return 1;
    });
    return [String(this.now()), ...answers];
  }

  #recover([, ...keys]: string[], args: string[]): unknown {
    const [grace, node] = [Number(args[0]), args[1]!];
    const [sent, wait, margin] = [args[6]!, Number(args[7]), Number(args[8])];
    const isFresh = this.#isInTime(sent, wait);
    const answers = Array.from({ length: keys.length / 3 }, (_, index) => {
      const [lease, epoch, owner] = keys.slice(index * 3) as [string, string, string];
      const [token, ttlText, heldText, state] = args.slice(9 + index * 4) as [string, string, string, string];
      const [ttl, held] = [Number(ttlText), Number(heldText)];
      const isOwner = state !== '' && isFresh && this.#isInTime(sent, ttl - margin);
      const kept = this.#leases.get(lease);
      const value = this.tokenOf(lease);
      if (value === token) {
        if (isFresh || Number(sent) < 0) kept!.until = Math.max(kept!.until, this.now() + ttl);
        const known = this.#owners.get(owner)?.epoch ?? 0;
        const counts = Math.max(known, held);
        const isOld = counts < this.least && isOwner;
        return isOld ? this.#next(epoch, owner, { token, node }, Math.max(counts, this.least)) : String(counts);
      }
      if (value !== undefined || state === '') return '';
      if (!isOwner) return 'late';
      if (this.#graceLeft(grace) === 0 || held < (this.#epochs.get(epoch) ?? 0)) return '';
      this.#leases.set(lease, { token, until: this.now() + ttl, takenAt: -Infinity });
      return this.#next(epoch, owner, { token, node }, Math.max(held, this.least));
    });
    return [String(this.now()), ...answers];
  }
}
