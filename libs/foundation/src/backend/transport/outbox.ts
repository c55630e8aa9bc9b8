/**
 * Collects what is published in one turn of the event loop, or while the transport is busy with what was sent before,
 * and sends it as one text for each topic and lane, `high` first. Called by the channels and the calls: 7 times less
 * CPU for bursts of small messages than one PUBLISH each.
 */
import { OverloadedError } from '../../errors/limit.errors.js';
import { bundled, MAX_BUNDLED } from '../../wire/bundle.js';
import type { Lane } from '../../wire/lane.js';
import { PackedWriter } from '../../wire/packed.writer.js';
import { LIMITS, type Open, openBundle, type OutboxLimits, type Packing } from './outbox.bundle.js';
import type { Passed, Transport } from './transport.js';

/**
 * The transport is given about this many characters in one turn, so that neither side works through a burst in one go.
 */
const MAX_TURN = 64 * 1024;

const LANES: readonly Lane[] = ['high', 'normal', 'low'];

/** See the file header. */
export class Outbox {
  readonly #open: Record<Lane, Map<string, Open>> = { high: new Map(), normal: new Map(), low: new Map() };
  /**
   * What `high` never is, since it is passed on at once or rejected: waiting for a later turn, or until the transport
   * has confirmed enough of what was sent before.
   */
  readonly #waiting: Record<'normal' | 'low', Open[]> = { normal: [], low: [] };
  /** Where something urgent has left in this turn already. */
  readonly #urgent = new Set<string>();
  readonly #limits: OutboxLimits;
  #packedSize = 0;
  #waitingSize = 0;
  #inFlight = 0;
  #leftThisTurn = MAX_TURN;
  /** What was open of the lanes below `high` a turn before, and when that left last. */
  #opened = 0;
  #leftAt = -Infinity;
  /** What left last, below `high`, was more than one message: more will come. */
  #isBusy = false;
  #timer: NodeJS.Immediate | undefined;
  /** Running while what is open waits for company. */
  #linger: NodeJS.Timeout | undefined;

  constructor(
    private readonly transport: Transport,
    limits: Partial<OutboxLimits> = {},
  ) {
    this.#limits = { ...LIMITS, ...limits };
  }

  /** True where messages are packed: {@link pack} is for these, {@link add} for all others. */
  get packs(): boolean {
    return this.transport.packs === true;
  }

  /** Bytes of the message that was packed last. */
  get packedSize(): number {
    return this.#packedSize;
  }

  /** Sends a value in the form that the transport takes. Resolves as {@link add} does. */
  send(topic: string, value: object, lane: Lane = 'normal'): Promise<number | undefined> {
    return this.packs ? this.pack(topic, value, { lane }) : this.add(topic, JSON.stringify(value), lane);
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
    const bundle = this.#open[lane].get(topic) ?? this.#begin(topic, lane, undefined);
    if (bundle.count === 0 && head !== undefined) bundle.texts.push(head());
    bundle.texts.push(encoded);
    bundle.size += encoded.length;
    return this.#added(bundle);
  }

  /**
   * The same for a value, which is packed at once. `read` is given a copy of it, as a receiver reads it.
   *
   * @throws what the value throws when it is written, and the error of {@link Packing.tooLarge}; nothing is sent then.
   */
  pack(
    topic: string,
    value: object,
    packing: Packing = {},
    read?: (copy: unknown) => void,
  ): Promise<number | undefined> {
    const { lane = 'normal', head } = packing;
    const bundle = this.#open[lane].get(topic) ?? this.#begin(topic, lane, new PackedWriter());
    const writer = bundle.packed!;
    if (bundle.isWriting) {
      // A getter, or a `toJSON`, of a message sends one on the same topic: what is whole goes, without the former.
      this.#cutWhole(bundle);
      return this.pack(topic, value, packing, read);
    }
    bundle.isWriting = true;
    try {
      if (bundle.count === 0 && head !== undefined) writer.add(head());
      writer.add(value);
      if (writer.longestJson > (packing.most ?? Infinity)) this.#measure(writer, packing);
    } catch (error) {
      this.#written(bundle);
      if (!bundle.isCut) this.#cutWhole(bundle);
      throw error;
    }
    // It sent one itself, see above: its copy goes behind that, as nothing of a value is to run twice.
    const again = bundle.isCut ? (writer.last() as object) : undefined;
    this.#written(bundle);
    if (again !== undefined) return this.pack(topic, again, packing, read);
    bundle.size = writer.size;
    this.#packedSize = writer.lastSize;
    read?.(writer.last());
    return this.#added(bundle);
  }

  #measure(writer: PackedWriter, packing: Packing): void {
    const error = packing.tooLarge?.(writer.last());
    if (error === undefined) return;
    writer.undo();
    throw error;
  }

  #added(bundle: Open): Promise<number | undefined> {
    const { lane, topic, packed } = bundle;
    const { isPrompt } = this.#limits;
    bundle.count += 1;
    const most = packed === undefined ? this.#limits.text : this.#limits.packed;
    const isFull = bundle.size >= most || bundle.count >= MAX_BUNDLED;
    const isUrgent = this.#isUrgent(lane) && !this.#urgent.has(topic);
    if (isUrgent || (isFull && isPrompt)) {
      this.#urgent.add(topic);
      // Only a turn ends what is said of this one.
      this.#wake();
    }
    if (isFull || isUrgent) this.#cut(bundle);
    return bundle.sent;
  }

  #isUrgent(lane: Lane): boolean {
    return lane === 'high' || (this.#limits.isPrompt && this.#inFlight === 0 && !this.#isBusy);
  }

  /** Nothing is sent where there is nothing but a head. */
  #cutWhole(bundle: Open): void {
    if (bundle.count > 0) return this.#cut(bundle);
    bundle.isCut = true;
    this.#open[bundle.lane].delete(bundle.topic);
    this.#letGo(bundle);
    bundle.resolve(undefined);
  }

  /** Its room is used again, once nothing is written into it any more. */
  #letGo(bundle: Open): void {
    bundle.isGone = true;
    if (!bundle.isWriting) bundle.packed?.release();
  }

  #written(bundle: Open): void {
    bundle.isWriting = false;
    if (bundle.isGone) bundle.packed?.release();
  }

  async flush(): Promise<void> {
    const open = LANES.flatMap((lane) => [...this.#open[lane].values()]);
    this.#turn();
    this.#cutOpen();
    await Promise.allSettled([...open, ...this.#waiting.normal, ...this.#waiting.low].map(({ sent }) => sent));
  }

  #begin(topic: string, lane: Lane, packed: PackedWriter | undefined): Open {
    const bundle = openBundle(topic, lane, packed);
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
    if (this.#waitsForCompany()) this.#wake();
    else if (this.#inFlight === 0 || this.#limits.linger === 0) this.#cutOpen();
    else if (this.#open.normal.size + this.#open.low.size > 0)
      this.#linger ??= setTimeout(() => this.#cutOpen(), this.#limits.linger);
    this.#pump();
  }

  #waitsForCompany(): boolean {
    const { company, few } = this.#limits;
    let size = 0;
    for (const lane of ['normal', 'low'] as const) for (const bundle of this.#open[lane].values()) size += bundle.size;
    const isGrown = size > this.#opened;
    this.#opened = size;
    return isGrown && size < few && performance.now() - this.#leftAt < company;
  }

  #cutOpen(): void {
    clearTimeout(this.#linger);
    this.#linger = undefined;
    if (this.#opened > 0) this.#leftAt = performance.now();
    this.#opened = 0;
    for (const lane of LANES) for (const bundle of this.#open[lane].values()) this.#cut(bundle);
  }

  #cut(bundle: Open): void {
    const { lane, topic } = bundle;
    bundle.isCut = true;
    this.#open[lane].delete(topic);
    if (lane === 'high') {
      this.#urgent.add(topic);
      // INVARIANT (I12): bounded, whatever the transport does; one bundle may always go, whatever its size.
      const isTooMuch = this.#inFlight > 0 && this.#inFlight + bundle.size > this.#limits.waiting;
      return isTooMuch ? this.#refuse(bundle, this.#inFlight) : this.#publish(bundle);
    }
    this.#isBusy = bundle.count > 1;
    this.#waiting[lane].push(bundle);
    this.#waitingSize += bundle.size;
    this.#pump();
    if (this.#waiting[lane].at(-1) === bundle && !bundle.isWriting) bundle.packed?.compact();
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

  #publish(bundle: Open): void {
    let passed: Passed | Promise<Passed>;
    this.#inFlight += bundle.size;
    try {
      passed = this.#pass(bundle);
    } catch (error) {
      this.#inFlight -= bundle.size;
      return bundle.reject(error);
    } finally {
      this.#letGo(bundle);
    }
    if (typeof passed === 'object') return this.#confirm(bundle, passed);
    this.#inFlight -= bundle.size;
    bundle.resolve(passed);
  }

  #pass({ topic, lane, texts, size, packed }: Open): Passed | Promise<Passed> {
    const whole = packed === undefined ? bundled(texts, size) : packed.finish();
    const { transport } = this;
    return transport.pass === undefined ? transport.publish(topic, whole, lane) : transport.pass(topic, whole, lane);
  }

  #confirm(bundle: Open, passed: Promise<Passed>): void {
    const done = (): void => {
      this.#inFlight -= bundle.size;
      if (this.#inFlight === 0 && this.#linger !== undefined) this.#cutOpen();
      this.#pump();
    };
    passed.then(
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

  #refuse(bundle: Open, waiting: number): void {
    this.#letGo(bundle);
    bundle.reject(new OverloadedError(bundle.topic, `${waiting} characters wait for the transport`));
  }
}
