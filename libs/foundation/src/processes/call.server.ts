/**
 * Carries out calls on the instances of this node: checks the epoch, the mark, and how many are at it already.
 * Called by `call.client.ts` for calls of this node and of others.
 */
import { Logger } from '@nestjs/common';
import type { FoundationConfig } from '../config/options.js';
import { describe } from '../errors.js';
import type { Lease } from '../tools/leases.js';
import { callableOf } from './callable.decorator.js';
import { encodeCall, encodeValue, toWireError, type CallRequest } from './call.wire.js';
import type { Instance } from './instance.js';
import type { Supervisor } from './supervisor.js';

/** The calls of one process that run and wait. */
interface Gate {
  active: number;
  waiting: (() => void)[];
}

/** What a call was resolved to. */
interface Callee {
  target: Record<string, (...values: unknown[]) => unknown>;
  lease: Lease;
}

/** See the file header. */
export class CallServer {
  readonly #gates = new Map<string, Gate>();
  /** Kept for as long as their instances, because asking an instance for its object reads the clock once more. */
  readonly #callees = new WeakMap<Instance, Callee>();
  readonly #logger = new Logger('Foundation');

  constructor(
    private readonly config: FoundationConfig,
    private readonly supervisor: Supervisor,
  ) {}

  /** Carries the call out, or says why not; resolves with the answer as it travels. Never rejects. */
  async handle(request: CallRequest): Promise<string> {
    const { id, process } = request;
    let callee = this.#callee(request);
    if (typeof callee === 'string') return encodeCall({ kind: 'reply', id, outcome: callee });
    const gate = this.#gates.get(process) ?? { active: 0, waiting: [] };
    this.#gates.set(process, gate);
    const { concurrency, queue } = this.config.calls;
    const waits = gate.active >= concurrency;
    if (waits && gate.waiting.length >= queue) return encodeCall({ kind: 'reply', id, outcome: 'busy' });
    if (!waits) gate.active += 1;
    try {
      if (waits) {
        const began = performance.now();
        await new Promise<void>((resolve) => gate.waiting.push(resolve));
        // Nobody waits any more for a call whose time went by in the queue.
        if (performance.now() - began > request.timeout) return encodeCall({ kind: 'reply', id, outcome: 'busy' });
        // Looked for again only after a wait: each look reads the clock of the lease, which costs more than the call.
        callee = this.#callee(request);
        if (typeof callee === 'string') return encodeCall({ kind: 'reply', id, outcome: callee });
      }
      return await this.#carryOut(request, callee);
    } finally {
      const next = gate.waiting.shift();
      if (next !== undefined) next();
      else if ((gate.active -= 1) === 0) this.#gates.delete(process);
    }
  }

  /** INVARIANT: a call reaches only the very ownership it was resolved for. */
  #callee({ process, epoch, method }: CallRequest): Callee | 'stale' | 'not-callable' {
    const instance = this.supervisor.running(process);
    if (instance === undefined || instance.lease.epoch !== epoch) return 'stale';
    const callee = this.#callees.get(instance) ?? calleeOf(instance);
    if (callee === undefined) return 'stale';
    this.#callees.set(instance, callee);
    return callableOf(Object.getPrototypeOf(callee.target), method) === undefined ? 'not-callable' : callee;
  }

  async #carryOut(request: CallRequest, { target, lease }: Callee): Promise<string> {
    const { id, process, method, args } = request;
    try {
      const value = await target[method]!(...args);
      if (!lease.isHeld()) return encodeCall({ kind: 'reply', id, outcome: 'interrupted' });
      // Undefined for what JSON cannot write, whatever the types say.
      const json = JSON.stringify(value) as string | undefined;
      const size = Buffer.byteLength(json ?? '');
      if (size <= this.config.channels.maxMessageBytes) return encodeValue(id, json);
      throw new RangeError(`The result of ${method} has ${size} bytes, more than channels.maxMessageBytes.`);
    } catch (error) {
      if (request.from === '') this.#logger.warn('A cast failed', { process, method, error: describe(error) });
      return encodeCall({ kind: 'reply', id, outcome: 'error', error: toWireError(error, this.config.calls.stacks) });
    }
  }
}

function calleeOf({ target, lease }: Instance): Callee | undefined {
  return target === undefined ? undefined : { target: target as Callee['target'], lease };
}
