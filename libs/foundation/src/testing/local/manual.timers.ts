/**
 * The clock of a test: time stands still until the test moves it, and what is due on the way fires in order.
 * The other adapter of the port `Clock`; `ManualClock` is the facade over it. Underneath: turns of the event loop.
 */
import { clearTimeout as clearReal, setImmediate as nextTurn, setTimeout as realTimeout } from 'node:timers';
import { ofNobody } from '../../context/fresh.js';
import { ManualClockError } from '../../errors/testing.errors.js';
import { unattended } from '../../foreign/gate.js';
import type { Clock, Expiries, Timer } from '../../time/clock.js';
import { LONGEST_TIMER_MS } from '../../time/duration.js';
import type { WheelTimer } from '../../time/timer.wheel.js';
import { recurring, type WakeUp } from '../../time/wake.ups.js';
import { ManualTimer } from './manual.timer.js';

/** Nothing of Foundation takes more turns in a row without setting a timer. */
const QUIET_TURNS = 20;
/** The same for what recurs, such as a heartbeat: as a rule nothing follows from it. */
const QUIET_TURNS_OF_RECURRING = 2;
/** What begins again for the same moment so often never ends. */
const TURNS_AT_ONCE = 1_000_000;
/** After so many turns the work of users is waited for by a timer, so that the machine can rest. */
const BUSY_TURNS = 50;

/** What a test must not fake: Foundation goes on in turns of the event loop. */
const TURNS = { setImmediate: globalThis.setImmediate, queueMicrotask: globalThis.queueMicrotask };
const FAKED =
  'the test fakes setImmediate or queueMicrotask, by which Foundation goes on; leave these to the machine, as by ' +
  "jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'nextTick'] })";

function areFaked(): boolean {
  return globalThis.setImmediate !== TURNS.setImmediate || globalThis.queueMicrotask !== TURNS.queueMicrotask;
}

/** Not those of a test that fakes timers. */
const realNow = performance.now.bind(performance);

/** Work of users that time has brought about. */
interface Work {
  /** It was waited for in vain. */
  isGivenUp: boolean;
}

/** See the file header. */
export class ManualTimers implements Clock {
  /** Those that are set, the first to fire first. */
  readonly #timers: ManualTimer[] = [];
  readonly #works = new Set<Work>();
  #elapsed = 0;
  /** Counts what happens, to see when nothing happens any more. */
  #activity = 0;
  #isMoving = false;
  #isHurrying = false;
  #firesSoon = false;
  /** When the clock began to run by itself, by the real one. */
  #runsSince: number | undefined;

  /**
   * @param startsAt what it says at first, in milliseconds since 1970.
   * @param patienceMs how long it waits for each work of a user, by the clock of the machine.
   */
  constructor(private readonly parts: { readonly startsAt: number; readonly patienceMs: number }) {}

  readonly now = (): number => this.#elapsed + (this.#runsSince === undefined ? 0 : realNow() - this.#runsSince);
  readonly monotonic = this.now;
  readonly wall = (): number => Math.floor(this.parts.startsAt + this.now());

  readonly random = (): number => 1;
  readonly mayBeSet = false;

  setTimeout(work: () => void, ms: number): Timer {
    return this.#set(work, ms);
  }

  #set(work: () => void, ms: number): ManualTimer {
    this.#activity += 1;
    const timer = new ManualTimer(this.now() + Math.max(0, Math.ceil(ms)), work);
    this.#insert(timer);
    return timer;
  }

  clearTimeout(given: Timer | undefined): void {
    if (given === undefined) return;
    this.#activity += 1;
    const timer = given as ManualTimer;
    clearReal(timer.real);
    const at = this.#timers.indexOf(timer);
    if (at >= 0) this.#timers.splice(at, 1);
  }

  readonly within = (earliest: number, latest: number, work: () => void): WakeUp => {
    const timer = ofNobody(() => this.#set(work, latest));
    timer.mayFireAt = this.now() + Math.min(earliest, latest);
    const wakeUp = {
      cancel: () => this.clearTimeout(timer),
      unref: () => {
        timer.unref();
        return wakeUp;
      },
    };
    return wakeUp;
  };

  readonly every = (earliest: number, latest: number, work: () => void): Pick<WakeUp, 'cancel'> =>
    recurring(this, earliest, latest, work);

  expiries(outside: <T>(work: () => T) => T): Expiries {
    const timers = new Map<WheelTimer, Timer>();
    return {
      get size() {
        return timers.size;
      },
      add: (timer, ms) => {
        const expire = (): void => void (timers.delete(timer) && timer.expired());
        timers.set(
          timer,
          outside(() => this.setTimeout(expire, ms)),
        );
      },
      remove: (timer) => {
        this.clearTimeout(timers.get(timer));
        timers.delete(timer);
      },
    };
  }

  underWay(given: PromiseLike<unknown>): void {
    const work: Work = { isGivenUp: false };
    this.#activity += 1;
    this.#works.add(work);
    const over = (): void => {
      this.#activity += 1;
      this.#works.delete(work);
    };
    given.then(over, over);
    if (this.#runsSince !== undefined) unattended('ending an application under test', this.#hurry());
  }

  /** Lets happen what is due now, without moving. */
  settle(): Promise<void> {
    return this.advance(0);
  }

  /**
   * Moves by so many milliseconds; see `ManualClock.advance`.
   *
   * @throws ManualClockError while it moves already, and once its application ends.
   */
  async advance(ms: number): Promise<void> {
    if (this.#runsSince !== undefined) {
      throw new ManualClockError('its application ends or has ended, and from then on time runs by itself');
    }
    if (areFaked()) throw new ManualClockError(FAKED);
    if (this.#isMoving) throw new ManualClockError('it is being moved already; await that first');
    this.#isMoving = true;
    try {
      const until = this.#elapsed + ms;
      await this.#settled();
      for (let next = this.#timers[0]; next !== undefined && next.dueAt <= until; [next] = this.#timers) {
        this.#elapsed = Math.max(this.#elapsed, next.dueAt);
        await this.#settled(this.#fireDue() ? QUIET_TURNS : QUIET_TURNS_OF_RECURRING);
      }
      if (this.#runsSince === undefined) this.#elapsed = until;
      await this.#settled();
    } finally {
      this.#isMoving = false;
    }
  }

  /** From now on time passes as on the machine: an application that ends waits for nobody who moves it. */
  release(): void {
    if (this.#runsSince !== undefined) return;
    this.#runsSince = realNow();
    for (const timer of this.#timers) this.#run(timer);
    unattended('ending an application under test', this.#hurry());
  }

  /** What hangs is waited for no longer than by `advance`: then its time is over at once, and no test takes minutes. */
  async #hurry(): Promise<void> {
    if (this.#isHurrying) return;
    this.#isHurrying = true;
    while (this.#works.size > 0) {
      await this.#settled();
      const next = this.#timers.find(({ mayFireAt }) => mayFireAt === undefined);
      if (next === undefined || this.#works.size === 0) break;
      [this.#elapsed, this.#runsSince] = [Math.max(this.now(), next.dueAt), realNow()];
      this.clearTimeout(next);
      next.fire();
    }
    this.#isHurrying = false;
  }

  #insert(timer: ManualTimer): void {
    let [from, to] = [0, this.#timers.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#timers[middle]!.dueAt <= timer.dueAt) from = middle + 1;
      else to = middle;
    }
    this.#timers.splice(from, 0, timer);
    if (this.#runsSince !== undefined) return this.#run(timer);
    if (timer.dueAt > this.#elapsed || this.#firesSoon) return;
    // No time has to pass for it.
    this.#firesSoon = true;
    nextTurn(() => {
      this.#firesSoon = false;
      this.#fireDue();
    });
  }

  #run(timer: ManualTimer): void {
    const fire = (): void => {
      this.clearTimeout(timer);
      timer.fire();
    };
    timer.real = realTimeout(fire, Math.min(Math.max(0, timer.dueAt - this.now()), LONGEST_TIMER_MS));
    if (!timer.keepsProcess) timer.real.unref();
  }

  /** Those that are set meanwhile come in another turn. False when all of them recur. */
  #fireDue(): boolean {
    let isOnce = false;
    const now = this.#elapsed;
    const due = this.#timers.filter(({ dueAt, mayFireAt = dueAt }) => mayFireAt <= now);
    // As on a node, what may fire does so with what has to.
    if (!due.some(({ dueAt }) => dueAt <= now)) return false;
    for (const timer of due) {
      const at = this.#timers.indexOf(timer);
      // Another one may have cleared it.
      if (at < 0) continue;
      this.#timers.splice(at, 1);
      this.#activity += 1;
      isOnce ||= timer.mayFireAt === undefined;
      timer.fire();
    }
    return isOnce;
  }

  /** Until nothing happens any more, and the work of users is over or was waited for long enough. */
  async #settled(quietTurns = QUIET_TURNS): Promise<void> {
    let turns = 0;
    do {
      for (let quiet = 0; quiet < quietTurns;) {
        const { length } = this.#timers;
        const before = this.#activity;
        await turn();
        quiet = this.#activity === before && length === this.#timers.length ? quiet + 1 : 0;
        turns += 1;
        if (turns > TURNS_AT_ONCE) throw new ManualClockError('something begins again and again at one moment');
      }
    } while (await this.#workEnded());
  }

  /** True when work of a user was waited for: something may have followed from it. */
  async #workEnded(): Promise<boolean> {
    const until = realNow() + this.parts.patienceMs;
    const before = this.#activity;
    const isAwaited = (): boolean => [...this.#works].some(({ isGivenUp }) => !isGivenUp);
    for (let turns = 0; isAwaited() && this.#activity === before; turns++) {
      if (realNow() >= until) {
        for (const work of this.#works) work.isGivenUp = true;
        return false;
      }
      await (turns < BUSY_TURNS ? turn() : rest());
    }
    return this.#activity !== before;
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => nextTurn(resolve));
}

function rest(): Promise<void> {
  return new Promise((resolve) => realTimeout(resolve, 1));
}
