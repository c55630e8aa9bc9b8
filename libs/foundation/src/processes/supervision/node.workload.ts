/**
 * What this node runs, acquires, and has promised to take: all of it counts as owned by this node.
 * The parts of the supervisor share it. Underneath: nothing.
 */
import { slotNames } from '../../cluster/slot.names.js';
import type { Instance } from '../instance/instance.js';
import type { VersionedEntry } from '../table/process.table.js';
import type { Candidacy } from './candidacy.js';

/** Processes that a node moves, and takes, at the same time. */
export const MOVES_AT_ONCE = 4;
/** How long a promised process may take to arrive, on top of its `stopTimeout`. */
const ARRIVAL_MS = 2000;

/** An instance on this node, and what the supervisor knows of it. */
export interface Hosted {
  instance: Instance;
  /** Since when another node suits better. */
  betterSince?: number;
  /** The outlook and the entry by which it was last found to be in its place. */
  settled?: { outlook: string; entry: VersionedEntry };
  /** Since when it runs. */
  since?: number;
  moving: boolean;
  /** True once its start is over: lookups see it, and it hears its channels. */
  isUp: boolean;
  /** False while lookups do not see it as running though it is. */
  announced: boolean;
  /** True while its row is being confirmed. */
  confirming: boolean;
}

/** See the file header. */
export class NodeWorkload {
  readonly hosted = new Map<string, Hosted>();
  /** Processes that other nodes move here: until when their place is kept. */
  readonly #promised = new Map<string, number>();

  constructor(
    private readonly acquiring: () => Pick<Candidacy, 'isTrying' | 'trying'>,
    private readonly now: () => number,
  ) {}

  /** How many processes this node owns, will own in a moment, or has promised to take. */
  get load(): number {
    let load = this.hosted.size + this.acquiring().trying;
    for (const name of this.#promised.keys()) if (this.isPromised(name) && !this.acquiring().isTrying(name)) load += 1;
    return load;
  }

  isTrying(name: string): boolean {
    return this.acquiring().isTrying(name);
  }

  /** INVARIANT (I23): a promise that is over counts nowhere, whenever it goes: it would make room for one more. */
  isPromised(name: string): boolean {
    return (this.#promised.get(name) ?? 0) > this.now();
  }

  /** True for a process that {@link load} includes. */
  isCounted(name: string): boolean {
    return this.hosted.has(name) || this.isPromised(name) || this.isTrying(name);
  }

  /** False when too many promises are open, or this one is. */
  canPromise(name: string): boolean {
    return this.#promised.size < MOVES_AT_ONCE && !this.#promised.has(name);
  }

  /** Keeps a place for as long as the process needs to stop and to arrive. */
  promise({ name, options }: VersionedEntry): void {
    this.#promised.set(name, this.now() + options.stopTimeout + ARRIVAL_MS);
  }

  /** True when a promise was kept by this arrival. */
  fulfil(name: string): boolean {
    return this.#promised.delete(name);
  }

  expirePromises(): void {
    expire(this.#promised, this.now());
  }

  /** True when this node runs or acquires another replica of the same process. */
  hasSibling({ name, of = name, kind, count }: VersionedEntry, node: string): boolean {
    const siblings = slotNames({ name: of, kind, count }, node);
    return siblings.some((slot) => slot !== name && (this.hosted.has(slot) || this.isTrying(slot)));
  }
}

/** Removes what ended by `now`. */
export function expire(times: Map<string, number>, now: number): void {
  for (const [name, until] of times) if (until <= now) times.delete(name);
}
