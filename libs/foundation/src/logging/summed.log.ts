/**
 * A log for what happens once each, but to thousands at a time: of a kind a few lines a second, the others as a sum.
 * Used by the chronicle of a node; underneath `log.ts`.
 */
import { Log } from './log.js';

/** So many lines of a kind in this time are said as they come. */
const FEW = 5;
const WINDOW_MS = 1000;
/** What is beyond that is summed after a second, and while there is more of it every ten. */
const EVERY_MS = 10_000;
/** So many of what is summed are named, the names being cut like any detail. */
const NAMED = 10;

/** What happens to thousands. */
export interface Kind {
  level: 'log' | 'warn';
  /** One of them. */
  one: string;
  /** Several of them, with `{count}` and `{some}`. */
  more: string;
}

interface State {
  since: number;
  said: number;
  summed: number;
  named: string[];
  timer: NodeJS.Timeout | undefined;
}

/** See the file header. The kinds are few, so what is kept of them is not bounded. */
export class SummedLog {
  readonly #states = new Map<Kind, State>();
  readonly #log = new Log();

  constructor(
    private readonly now: () => number = () => performance.now(),
    private readonly later: (work: () => void, ms: number) => NodeJS.Timeout = (work, ms) =>
      setTimeout(work, ms).unref(),
  ) {}

  /** Says `kind.one` with the details, or counts it under `name`. */
  say(kind: Kind, name: string, details: object): void {
    const state = this.#states.get(kind) ?? { since: this.now(), said: 0, summed: 0, named: [], timer: undefined };
    this.#states.set(kind, state);
    if (state.timer === undefined) {
      if (this.now() - state.since >= WINDOW_MS) Object.assign(state, { since: this.now(), said: 0 });
      if (state.said < FEW) {
        state.said += 1;
        this.#log[kind.level](kind.one, details);
        return;
      }
      state.timer = this.later(() => this.#sum(kind, state), WINDOW_MS);
    }
    state.summed += 1;
    if (state.named.length < NAMED) state.named.push(name);
  }

  /** Says now what would be summed later; the node ends. */
  flush(): void {
    for (const [kind, state] of this.#states) {
      clearTimeout(state.timer);
      this.#tell(kind, state);
      state.timer = undefined;
    }
  }

  #sum(kind: Kind, state: State): void {
    const isOver = state.summed === 0;
    this.#tell(kind, state);
    // The next one after a quiet time is said as it comes.
    state.timer = isOver ? undefined : this.later(() => this.#sum(kind, state), EVERY_MS);
  }

  #tell(kind: Kind, state: State): void {
    const { summed, named } = state;
    if (summed > 0) {
      const some = `${named.join(', ')}${summed > named.length ? ', …' : ''}`;
      this.#log[kind.level](kind.more, { count: summed, some });
    }
    Object.assign(state, { since: this.now(), said: 0, summed: 0, named: [] });
  }
}
