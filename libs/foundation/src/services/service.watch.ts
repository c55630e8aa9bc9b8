/**
 * Changes of services as an async iterable, each instance's changes summed up while there is no reader.
 * Called by the facade.
 */
import { unattended } from '../foreign/gate.js';
import type { Question } from './service.criteria.js';
import type { ServiceChange, ServiceInfo } from './service.js';
import type { ServiceRegistry } from './service.registry.js';

type Result = IteratorResult<ServiceChange, undefined>;

const END: Result = { done: true, value: undefined };

/**
 * See the file header. No generator: the `return()` of one waits for the `next()` before it, which may never come, and
 * listens until then.
 */
export class ServiceWatch implements AsyncIterableIterator<ServiceChange, undefined, undefined> {
  /** What the reader knows; what was reported as removed is not in here. */
  readonly #reported = new Map<string, ServiceInfo>();
  /**
   * Instances whose state is to be reported, in the order of their first change. INVARIANT (I12): those that are there,
   * and those that the reader knows, and no others, so that a reader who never comes back keeps no instance that came
   * and went.
   */
  readonly #pending = new Map<string, ServiceInfo | undefined>();
  readonly #readers: ((result: Result) => void)[] = [];
  /** Absent until it is first read: a watch without a reader costs nothing. */
  #stop: (() => void) | undefined;
  #ended = false;

  constructor(
    private readonly registry: Pick<ServiceRegistry, 'services' | 'onChange' | 'onLeft'>,
    private readonly question: Pick<Question, 'matches'>,
  ) {}

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next change, as soon as there is one. */
  next(): Promise<Result> {
    if (this.#ended) return Promise.resolve(END);
    this.#stop ??= this.#start();
    if (this.#isOver()) return this.return();
    return new Promise((resolve) => {
      this.#readers.push(resolve);
      this.#deliver();
    });
  }

  /** Ends it at once, also for those who wait. */
  return(): Promise<Result> {
    this.#ended = true;
    this.#stop?.();
    this.#stop = undefined;
    this.#pending.clear();
    for (const resolve of this.#readers.splice(0)) resolve(END);
    return Promise.resolve(END);
  }

  /** A method, because TypeScript thinks that it cannot change by what is called meanwhile. */
  #isOver(): boolean {
    return this.#ended;
  }

  /** How many changes wait to be read. */
  get pending(): number {
    return this.#pending.size;
  }

  #start(): () => void {
    const { matches } = this.question;
    for (const service of this.registry.services())
      if (matches(service)) this.#pending.set(service.instanceId, service);
    // A loop over it ends with its node: nothing changes any more that it could hear of.
    const unlisten = this.registry.onLeft(() => unattended('ending a watch', this.return()));
    const end = this.registry.onChange(({ type, service }) => {
      const { instanceId } = service;
      const now = type !== 'removed' && matches(service) ? service : undefined;
      if (now === undefined && !this.#reported.has(instanceId)) this.#pending.delete(instanceId);
      else this.#pending.set(instanceId, now);
      this.#deliver();
    });
    return () => {
      unlisten();
      end();
    };
  }

  #deliver(): void {
    while (this.#readers.length > 0) {
      const change = this.#take();
      if (change === undefined) return;
      this.#readers.shift()?.({ done: false, value: change });
    }
  }

  #take(): ServiceChange | undefined {
    for (const [instanceId, now] of this.#pending) {
      this.#pending.delete(instanceId);
      const before = this.#reported.get(instanceId);
      if (now === before) continue;
      if (now === undefined) {
        this.#reported.delete(instanceId);
        return { type: 'removed', service: before! };
      }
      this.#reported.set(instanceId, now);
      return { type: before === undefined ? 'added' : 'changed', service: now };
    }
    return undefined;
  }
}
