/**
 * Pure: what one node sends to one other, in the order in which it is to arrive. Three lanes wait; what leaves them
 * gets a sequence number and is kept until the other node has it, so that another carrier can bring it again.
 */
import type { Lane } from '../../../../wire/lane.js';
import { encodePartHead, type Kind, MAX_PART } from './frames.js';

/** How many bytes of the normal and the low lane may be underway: short, so that the high lane is. */
export const WINDOW = 512 * 1024;
/** The same for the high lane, which has its own. */
const HIGH_WINDOW = 1024 * 1024;
/** How many bytes may wait for one node before texts are dropped. */
export const MAX_QUEUED = 8 * 1024 * 1024;
/**
 * How many changes of what this node listens to, which are never dropped, may wait before all of it is said instead.
 */
export const MAX_CHANGES = 1000;

interface Waiting {
  kind: Kind;
  body: Buffer;
  /** How much of it has left already. */
  offset: number;
  arrived?: () => void;
}

interface Kept {
  seq: number;
  size: number;
  lane: Lane;
  buffers: [head: Buffer, bytes: Buffer];
  arrived?: () => void;
}

/** A text that was not kept, because too much waits for that node. */
export interface Dropped {
  lane: Lane;
  bytes: number;
}

const ORDER = ['high', 'normal', 'low'] as const satisfies readonly Lane[];

/** One direction between two nodes; see the file header. */
export class SendStream {
  readonly #waiting: Record<Lane, Waiting[]> = { high: [], normal: [], low: [] };
  readonly #lost: Record<Lane, boolean> = { high: false, normal: false, low: false };
  /** Sent and not acknowledged, oldest first. */
  readonly #kept: Kept[] = [];
  #underway = { high: 0, bulk: 0 };
  /** The first of the kept ones that the present carrier has not been given. */
  #next = 0;
  #lastSeq = 0;
  #queued = 0;
  /** Changes of what this node listens to, of which nothing has left. */
  #changes = 0;

  constructor(
    /** Larger than that of any earlier stream from this node to that one. */
    readonly stream: number,
    private readonly maxQueued = MAX_QUEUED,
  ) {}

  /** Bytes that wait for their turn. */
  get queued(): number {
    return this.#queued;
  }

  /** The lowest sequence number that can still be sent. */
  get base(): number {
    return this.#kept[0]?.seq ?? this.#lastSeq + 1;
  }

  /** True when the other node has everything. */
  get isIdle(): boolean {
    return this.#kept.length === 0 && !ORDER.some((lane) => this.#waiting[lane].length > 0 || this.#lost[lane]);
  }

  /** True when something is underway of which the other node has not said that it arrived. */
  get isAwaiting(): boolean {
    return this.#kept.length > 0;
  }

  /** Puts a message into its lane; returns what had to make room for it, which may be itself. */
  add(lane: Lane, kind: Kind, body: Buffer, arrived?: () => void): Dropped[] {
    const dropped: Dropped[] = [];
    // What a node listens to is never dropped: the other side would be wrong about it from then on.
    while (isDroppable(kind) && this.#queued + body.length > this.maxQueued) {
      const victim = this.#sacrifice(lane);
      this.#lost[victim === undefined ? lane : victim.lane] = true;
      if (victim === undefined) return [...dropped, { lane, bytes: body.length }];
      dropped.push(victim);
    }
    if (kind === 'topics') this.#changes += 1;
    this.#waiting[lane].push({ kind, body, offset: 0, ...(arrived === undefined ? {} : { arrived }) });
    this.#queued += body.length;
    return dropped;
  }

  /** A change of what this node listens to; `all` says all of it, in place of the changes when too many wait. */
  change(body: Buffer, all: () => Buffer, arrived: () => void): void {
    if (this.#changes < MAX_CHANGES) return void this.add('high', 'topics', body, arrived);
    const isChange = ({ kind, offset }: Waiting): boolean => kind === 'topics' && offset === 0;
    const replaced = this.#waiting.high.filter(isChange);
    this.#waiting.high = this.#waiting.high.filter((each) => !isChange(each));
    this.#changes = 0;
    for (const each of replaced) this.#queued -= each.body.length;
    this.add('high', 'topics', all(), () => {
      for (const each of replaced) each.arrived?.();
      arrived();
    });
  }

  /** What to pass to the carrier now, up to about this many bytes of the lower lanes; pairs of a head and its bytes. */
  take(budget: number): Buffer[] {
    const buffers: Buffer[] = [];
    let left = budget;
    for (; this.#next < this.#kept.length && left > 0; this.#next += 1) {
      const kept = this.#kept[this.#next] as Kept;
      buffers.push(...kept.buffers);
      left -= kept.size;
    }
    if (this.#next < this.#kept.length) return buffers;
    while (this.#underway.high < HIGH_WINDOW) {
      const size = this.#send('high', buffers);
      if (size === undefined) break;
    }
    while (left > 0 && this.#underway.bulk < WINDOW) {
      const size = this.#send('normal', buffers) ?? this.#send('low', buffers);
      if (size === undefined) break;
      left -= size;
    }
    return buffers;
  }

  /** True when another `take` would give something. */
  get isReady(): boolean {
    if (this.#next < this.#kept.length) return true;
    const has = (lane: Lane): boolean => this.#waiting[lane].length > 0 || this.#lost[lane];
    return (
      (this.#underway.high < HIGH_WINDOW && has('high')) ||
      (this.#underway.bulk < WINDOW && (has('normal') || has('low')))
    );
  }

  /** The other node has everything up to `seq`. */
  acknowledge(seq: number): void {
    if (seq > this.#lastSeq) return;
    while (this.#kept.length > 0 && (this.#kept[0] as Kept).seq <= seq) {
      const { lane, size, arrived } = this.#kept.shift() as Kept;
      this.#underway[lane === 'high' ? 'high' : 'bulk'] -= size;
      this.#next = Math.max(0, this.#next - 1);
      arrived?.();
    }
  }

  /** Another carrier takes over, or the last one lost something: what is not acknowledged is sent again, in order. */
  rewind(): void {
    this.#next = 0;
  }

  /** Sends the next part of a lane; returns its size, `undefined` when the lane is empty. */
  #send(lane: Lane, buffers: Buffer[]): number | undefined {
    const queue = this.#waiting[lane];
    const head = queue[0];
    if (this.#lost[lane] && (head === undefined || head.offset === 0)) {
      this.#lost[lane] = false;
      return this.#keep(lane, { kind: 'lost', body: Buffer.alloc(0), offset: 0 }, buffers);
    }
    if (head === undefined) return undefined;
    const size = this.#keep(lane, head, buffers);
    if (head.offset >= head.body.length) queue.shift();
    return size;
  }

  #keep(lane: Lane, message: Waiting, buffers: Buffer[]): number {
    const { kind, body, offset, arrived } = message;
    const bytes = body.length <= MAX_PART ? body : body.subarray(offset, offset + MAX_PART);
    if (kind === 'topics' && offset === 0) this.#changes -= 1;
    message.offset += bytes.length;
    const last = message.offset >= body.length;
    this.#lastSeq += 1;
    const head = encodePartHead({ seq: this.#lastSeq, lane, kind, first: offset === 0, last, bytes });
    const size = head.length + bytes.length;
    const kept: Kept = { seq: this.#lastSeq, size, lane, buffers: [head, bytes] };
    if (last && arrived !== undefined) kept.arrived = arrived;
    this.#kept.push(kept);
    this.#next = this.#kept.length;
    this.#queued -= bytes.length;
    this.#underway[lane === 'high' ? 'high' : 'bulk'] += size;
    buffers.push(head, bytes);
    return size;
  }

  /** Takes out the oldest text of the lowest lane that is not above `lane`; one that has begun to leave stays. */
  #sacrifice(lane: Lane): Dropped | undefined {
    for (const lower of ['low', 'normal'] as const) {
      if (ORDER.indexOf(lower) < ORDER.indexOf(lane)) continue;
      const queue = this.#waiting[lower];
      const index = queue.findIndex(({ kind, offset }) => isDroppable(kind) && offset === 0);
      if (index < 0) continue;
      const [victim] = queue.splice(index, 1) as [Waiting];
      this.#queued -= victim.body.length;
      return { lane: lower, bytes: victim.body.length };
    }
    return undefined;
  }
}

function isDroppable(kind: Kind): boolean {
  return kind === 'text' || kind === 'packed';
}
