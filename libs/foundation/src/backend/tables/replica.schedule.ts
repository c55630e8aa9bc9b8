/** When a replica reads its table: one read at a time, at once or a little after a hint. */
import { unattended } from '../../foreign/gate.js';

/**
 * After a hint of what this node has nothing to do with it reads so long after its last read: many changes are one
 * question.
 */
const PACE_MS = 100;

/** What is scheduled. */
export interface ScheduledReads {
  /** For errors: `process table`. */
  what: string;
  now: () => number;
  read(): Promise<void>;
  /** Reads if the table may have this version and the replica does not. Never rejects. */
  follow(version: number): Promise<void> | undefined;
}

/** See the file header. */
export class ReplicaSchedule {
  /** When the last read began. */
  #readAt = -Infinity;
  /** The newest version that hints named since they were followed. */
  #hinted = 0;
  #timer: NodeJS.Timeout | undefined;
  #followsSoon = false;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(private readonly reads: ScheduledReads) {}

  get isReading(): boolean {
    return this.#running !== undefined;
  }

  /** Fetches what is newer. Resolves once a read is over that began after this call, and rejects when that failed. */
  sync(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return (this.#running = this.#run());
    const begin = (): Promise<void> => {
      this.#next = undefined;
      return (this.#running = this.#run());
    };
    return (this.#next = this.#running.then(begin, begin));
  }

  /**
   * The table is said to have this version by now; `Infinity` = a newer one. What this node has nothing to do with need
   * not be read at once.
   */
  hinted(version: number, isUrgent: boolean): void {
    this.#hinted = Math.max(this.#hinted, version);
    const wait = isUrgent ? 0 : this.#readAt + PACE_MS - this.reads.now();
    if (wait > 0) this.#timer ??= setTimeout(() => this.#follow(), Math.min(wait, PACE_MS)).unref();
    else if (!this.#followsSoon) {
      this.#followsSoon = true;
      // The answer to a write of this node may be here as well, and then there is nothing to read.
      setImmediate(() => this.#follow());
    }
  }

  #follow(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#followsSoon = false;
    const newest = this.#hinted;
    this.#hinted = 0;
    unattended(`comparing the ${this.reads.what}`, this.reads.follow(newest));
  }

  async #run(): Promise<void> {
    try {
      this.#readAt = this.reads.now();
      await this.reads.read();
    } finally {
      this.#running = undefined;
    }
  }
}
