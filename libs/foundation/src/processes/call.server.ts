/**
 * Carries out calls on the instances of this node: checks the epoch, the mark, and how many are at it already.
 * Called by `call.client.ts` for calls of this node and of others.
 */
import { Logger } from '@nestjs/common';
import type { FoundationConfig } from '../config/options.js';
import { describe } from '../errors.js';
import { callableOf } from './callable.decorator.js';
import { toWireError, type CallReply, type CallRequest } from './call.wire.js';
import type { Instance } from './instance.js';
import type { Lease } from '../tools/leases.js';

/** What a call needs of an instance. */
export type Reachable = Pick<Instance, 'target' | 'call'> & { lease: Pick<Lease, 'epoch' | 'isHeld'> };

/** Whoever knows the instances of this node that calls may reach; the supervisor. */
export interface Running {
  running(name: string): Reachable | undefined;
}

/** The calls of one process that run and wait. */
interface Gate {
  active: number;
  waiting: (() => void)[];
}

/** See the file header. */
export class CallServer {
  readonly #gates = new Map<string, Gate>();
  readonly #logger = new Logger('Foundation');

  constructor(
    private readonly config: FoundationConfig,
    private readonly supervisor: Running,
  ) {}

  /** Carries the call out, or says why not. Never rejects. */
  async handle(request: CallRequest): Promise<CallReply> {
    const { id, process } = request;
    const began = performance.now();
    const found = this.#find(request);
    if (typeof found === 'string') return { kind: 'reply', id, outcome: found };
    const gate = this.#gates.get(process) ?? { active: 0, waiting: [] };
    this.#gates.set(process, gate);
    const { concurrency, queue } = this.config.calls;
    if (gate.active >= concurrency) {
      if (gate.waiting.length >= queue) return { kind: 'reply', id, outcome: 'busy' };
      await new Promise<void>((resolve) => gate.waiting.push(resolve));
    } else {
      gate.active += 1;
    }
    try {
      // Nobody waits any more for a call whose time went by in the queue.
      if (performance.now() - began > request.timeout) return { kind: 'reply', id, outcome: 'busy' };
      return await this.#carryOut(request);
    } finally {
      const next = gate.waiting.shift();
      if (next !== undefined) next();
      else if ((gate.active -= 1) === 0) this.#gates.delete(process);
    }
  }

  /**
   * INVARIANT: a call reaches only the very ownership it was resolved for. An instance stops being reachable by the clock, so
   * it is looked at once, in the turn in which the method begins.
   */
  #find({ process, epoch, method }: CallRequest): { instance: Reachable; target: object } | 'stale' | 'not-callable' {
    const instance = this.supervisor.running(process);
    const target = instance?.target;
    if (instance === undefined || target === undefined || instance.lease.epoch !== epoch) return 'stale';
    return callableOf(Object.getPrototypeOf(target), method) === undefined ? 'not-callable' : { instance, target };
  }

  async #carryOut(request: CallRequest): Promise<CallReply> {
    const { id, process, method, args } = request;
    const found = this.#find(request);
    if (typeof found === 'string') return { kind: 'reply', id, outcome: found };
    const { instance } = found;
    const target = found.target as Record<string, (...values: unknown[]) => unknown>;
    try {
      const value = await instance.call(() => target[method]!(...args));
      if (!instance.lease.isHeld()) return { kind: 'reply', id, outcome: 'interrupted' };
      const size = Buffer.byteLength(JSON.stringify(value) ?? '');
      if (size <= this.config.channels.maxMessageBytes) return { kind: 'reply', id, outcome: 'value', value };
      throw new RangeError(`The result of ${method} has ${size} bytes, more than channels.maxMessageBytes.`);
    } catch (error) {
      if (request.from === '') this.#logger.warn('A cast failed', { process, method, error: describe(error) });
      return { kind: 'reply', id, outcome: 'error', error: toWireError(error, this.config.calls.stacks) };
    }
  }
}
