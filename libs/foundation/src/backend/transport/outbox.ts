/**
 * Collects what is published in one turn of the event loop, or while the transport is busy with what was sent before,
 * and sends it as one text for each topic and lane, `high` first. Called by the channels and the calls: 7 times less
 * CPU for bursts of small messages than one PUBLISH each.
 */
import { OverloadedError } from '../../errors/limit.errors.js';
import { bundled, MAX_BUNDLED } from '../../wire/bundle.js';
import type { Lane } from '../../wire/lane.js';
import type { Transport } from './transport.js';

/** A bundle is cut when it is larger than this: a receiver reads it in one piece, and what is urgent waits for that. */
const MAX_BUNDLE = 64 * 1024;
/**
 * The transport is given about this many characters in one turn, so that neither side works through a burst in one go.
 */
const MAX_TURN = 64 * 1024;

/** When a bundle leaves, and what may wait. */
export interface OutboxLimits {
  /** In characters: what the transport has not confirmed yet, of the lanes below `high`. */
  inFlight: number;
  /**
   * In characters: what waits for that. Of `high`, which never waits, as much may be unconfirmed as may wait of the
   * other lanes.
   */
  waiting: number;
  /**
   * In milliseconds: how long what is not `high` waits for company while something is not confirmed. As with Nagle's
   * algorithm (RFC 896), a caller that sends one message at a time and waits for it is never held up; the limit is what
   * keeps a late confirmation from adding to the latency.
   */
  linger: number;
  /** In characters: a bundle is cut when it is larger. */
  bundle: number;
  /**
   * Also what is not `high` leaves in the very call when nothing is on its way, and the rest of the turn after it: for
   * calls, where the other side can begin with the first while this one writes the others.
   */
  isPrompt: boolean;
}

const LIMITS: OutboxLimits = {
  inFlight: 1024 * 1024,
  waiting: 32 * 1024 * 1024,
  linger: 1,
  bundle: MAX_BUNDLE,
  isPrompt: false,
};

interface Bundle {
  topic: string;
  lane: Lane;
  encoded: string[];
  size: number;
  sent: Promise<number | undefined>;
  resolve: (receivers: number | undefined) => void;
  reject: (error: unknown) => void;
}

const LANES: readonly Lane[] = ['high', 'normal', 'low'];

/** See the file header. */
export class Outbox {
  readonly #open: Record<Lane, Map<string, Bundle>> = { high: new Map(), normal: new Map(), low: new Map() };
  /**
   * What `high` never is, since it is passed on at once or rejected: waiting for a later turn, or until the transport
   * has confirmed enough of what was sent before.
   */
  readonly #waiting: Record<'normal' | 'low', Bundle[]> = { normal: [], low: [] };
  /** Where something urgent has left in this turn already. */
  readonly #urgent = new Set<string>();
  readonly #limits: OutboxLimits;
  #waitingSize = 0;
  #inFlight = 0;
  #leftThisTurn = MAX_TURN;
  #timer: NodeJS.Immediate | undefined;
  /** Running while what is open waits for company. */
  #linger: NodeJS.Timeout | undefined;

  constructor(
    private readonly transport: Transport,
    limits: Partial<OutboxLimits> = {},
  ) {
    this.#limits = { ...LIMITS, ...limits };
  }

  /**
   * Resolves once the bundle that holds this message has been taken by the transport. `head` writes what a new bundle
   * begins with. The first text of `high` leaves in this very call: the code that sends may go on for long; see also
   * {@link OutboxLimits.isPrompt}.
   *
   * @throws OverloadedError when too much waits: of `low` the oldest first, then of `normal` the newest; of `high` what
   * comes while the transport has not confirmed 32 Mi characters.
   */
  add(topic: string, encoded: string, lane: Lane = 'normal', head?: () => string): Promise<number | undefined> {
    const bundle = this.#open[lane].get(topic) ?? this.#startBundle(topic, lane, head);
    bundle.encoded.push(encoded);
    bundle.size += encoded.length;
    const isFull = bundle.size >= this.#limits.bundle || bundle.encoded.length >= MAX_BUNDLED;
    const isUrgent = this.#isUrgent(lane) && !this.#urgent.has(topic);
    if (isUrgent || (isFull && this.#limits.isPrompt)) {
      this.#urgent.add(topic);
      // Only a turn ends what is said of this one.
      this.#wake();
    }
    if (isFull || isUrgent) this.#cut(bundle);
    return bundle.sent;
  }

  #isUrgent(lane: Lane): boolean {
    return lane === 'high' || (this.#limits.isPrompt && this.#inFlight === 0);
  }

  async flush(): Promise<void> {
    const open = LANES.flatMap((lane) => [...this.#open[lane].values()]);
    this.#turn();
    this.#cutOpen();
    await Promise.allSettled([...open, ...this.#waiting.normal, ...this.#waiting.low].map(({ sent }) => sent));
  }

  #startBundle(topic: string, lane: Lane, head: (() => string) | undefined): Bundle {
    const bundle = { topic, lane, encoded: head === undefined ? [] : [head()], size: 0, ...deferred() };
    this.#open[lane].set(topic, bundle);
    this.#wake();
    return bundle;
  }

  #wake(): void {
    this.#timer ??= setImmediate(() => this.#turn());
  }

  #turn(): void {
    clearImmediate(this.#timer);
    this.#timer = undefined;
    this.#leftThisTurn = MAX_TURN;
    this.#urgent.clear();
    for (const bundle of this.#open.high.values()) this.#cut(bundle);
    if (this.#inFlight === 0 || this.#limits.linger === 0) this.#cutOpen();
    else if (this.#open.normal.size + this.#open.low.size > 0)
      this.#linger ??= setTimeout(() => this.#cutOpen(), this.#limits.linger);
    this.#pump();
  }

  #cutOpen(): void {
    clearTimeout(this.#linger);
    this.#linger = undefined;
    for (const lane of LANES) for (const bundle of this.#open[lane].values()) this.#cut(bundle);
  }

  #cut(bundle: Bundle): void {
    const { lane, topic } = bundle;
    this.#open[lane].delete(topic);
    if (lane === 'high') {
      this.#urgent.add(topic);
      // INVARIANT (I12): bounded, whatever the transport does; one bundle may always go, whatever its size.
      const isTooMuch = this.#inFlight > 0 && this.#inFlight + bundle.size > this.#limits.waiting;
      return isTooMuch ? this.#refuse(bundle, this.#inFlight) : this.#publish(bundle);
    }
    this.#waiting[lane].push(bundle);
    this.#waitingSize += bundle.size;
    this.#pump();
    while (this.#waitingSize > this.#limits.waiting) this.#shed();
  }

  /** Passes on the backlog, as far as the transport keeps up and this turn has room. */
  #pump(): void {
    while (this.#waitingSize > 0 && this.#inFlight < this.#limits.inFlight) {
      if (this.#leftThisTurn <= 0) return this.#wake();
      const next = (this.#waiting.normal.shift() ?? this.#waiting.low.shift())!;
      this.#waitingSize -= next.size;
      this.#leftThisTurn -= next.size;
      this.#publish(next);
    }
  }

  #publish(bundle: Bundle): void {
    this.#inFlight += bundle.size;
    const done = (): void => {
      this.#inFlight -= bundle.size;
      if (this.#inFlight === 0 && this.#linger !== undefined) this.#cutOpen();
      this.#pump();
    };
    this.transport.publish(bundle.topic, bundled(bundle.encoded), bundle.lane).then(
      (receivers) => {
        done();
        bundle.resolve(receivers);
      },
      (error: unknown) => {
        done();
        bundle.reject(error);
      },
    );
  }

  #shed(): void {
    const bundle = (this.#waiting.low.shift() ?? this.#waiting.normal.pop())!;
    this.#refuse(bundle, this.#waitingSize);
    this.#waitingSize -= bundle.size;
  }

  #refuse(bundle: Bundle, waiting: number): void {
    bundle.reject(new OverloadedError(bundle.topic, `${waiting} characters wait for the transport`));
  }
}

function deferred(): Pick<Bundle, 'sent' | 'resolve' | 'reject'> {
  let resolve!: Bundle['resolve'];
  let reject!: Bundle['reject'];
  const sent = new Promise<number | undefined>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { sent, resolve, reject };
}
