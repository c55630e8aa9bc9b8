/**
 * Calls by name: finds the owner, sends, and decides what an answer means for the caller.
 * Called by the refs of the manager.
 */
import type { Type } from '@nestjs/common';
import type { FoundationConfig } from '../config/options.js';
import { ArgumentError, CallInterruptedError, CallRefusedError, RemoteError, type CallSubject } from '../errors.js';
import { callableOf } from './callable.decorator.js';
import { UNDELIVERED, type CallClient, type CallOptions, type CallTarget } from './call.client.js';
import type { CallReply } from './call.wire.js';
import type { ProcessRegistry } from './process.registry.js';

const LOOK_EVERY_MS = 50;

/** Which process a call is for. */
export interface Callee {
  name: string;
  /** The class, where the caller knows it: it says which methods are callable, idempotent, and how long they may take. */
  type?: Type<unknown> | undefined;
}

/** See the file header. */
export class ProcessCalls {
  readonly #owners = new Map<string, CallTarget>();

  constructor(
    private readonly config: FoundationConfig,
    private readonly registry: ProcessRegistry,
    private readonly client: CallClient,
  ) {}

  /** Remembers where a process was seen, so that the next call need not ask. */
  note(owner: CallTarget): void {
    this.#owners.set(owner.name, owner);
  }

  /**
   * Calls a method and resolves with its result.
   *
   * A stale owner refuses, so the call was not carried out: the owner is looked up anew and the call is sent once more.
   * The same is done after an interruption, whose outcome is unknown, only when the method is idempotent.
   */
  async call(callee: Callee, method: string, args: readonly unknown[], options: CallOptions = {}): Promise<unknown> {
    const marks = this.#check(callee, method);
    const timeout = options.timeout ?? marks?.timeout ?? this.config.calls.timeout;
    if (!(timeout > 0))
      throw new ArgumentError(`${callee.name}.${method}`, 'timeout', String(timeout), 'milliseconds above 0');
    const deadline = performance.now() + timeout;
    for (let attempt = 0; ; attempt++) {
      const owner = await this.#owner(callee.name, method, deadline, options.signal);
      const subject: CallSubject = { processName: callee.name, method, node: owner.node };
      const last = attempt > 0;
      const left = Math.max(1, Math.ceil(deadline - performance.now()));
      const reply = await this.client
        .call(owner, method, args, { ...options, timeout: left })
        .catch((error: unknown) => {
          if (error instanceof CallInterruptedError && marks?.idempotent === true && !last) return UNDELIVERED;
          throw error;
        });
      if (reply.outcome === 'stale' || (reply.outcome === 'interrupted' && marks?.idempotent === true)) {
        this.#owners.delete(callee.name);
        if (!last) continue;
      }
      return this.#result(reply, subject);
    }
  }

  /** Sends a call and does not wait for it; resolves once it is on its way. */
  async cast(callee: Callee, method: string, args: readonly unknown[]): Promise<void> {
    this.#check(callee, method);
    const deadline = performance.now() + this.config.calls.timeout;
    for (let attempt = 0; attempt < 2; attempt++) {
      const owner = await this.#owner(callee.name, method, deadline);
      if (await this.client.cast(owner, method, args)) return;
      this.#owners.delete(callee.name);
    }
    throw notRunning({ processName: callee.name, method, node: '?' });
  }

  #check({ name, type }: Callee, method: unknown): ReturnType<typeof callableOf> {
    if (typeof method !== 'string') throw new ArgumentError(name, 'method', String(method), 'the name of a method');
    if (type === undefined) return undefined;
    const marks = callableOf(type.prototype, method);
    if (marks === undefined) throw notCallable({ processName: name, method, node: '?' });
    return marks;
  }

  /** The owner as last seen, or as the cluster says now; waits for one while there is none, because nothing is sent yet. */
  async #owner(name: string, method: string, deadline: number, signal?: AbortSignal): Promise<CallTarget> {
    for (;;) {
      signal?.throwIfAborted();
      const owner = this.#owners.get(name) ?? (await this.registry.running(name));
      if (owner !== undefined) {
        this.#owners.set(name, owner);
        return owner;
      }
      if (performance.now() >= deadline) throw notRunning({ processName: name, method, node: '?' });
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  #result(reply: CallReply, subject: CallSubject): unknown {
    switch (reply.outcome) {
      case 'value':
        return reply.value;
      case 'error':
        throw new RemoteError(subject, reply.error);
      case 'stale':
        throw notRunning(subject);
      case 'not-callable':
        throw notCallable(subject);
      case 'busy':
        throw new CallRefusedError(subject, 'busy', 'Call less often, or raise calls.concurrency and calls.queue.');
      case 'interrupted':
        throw new CallInterruptedError(subject, 'it lost its lease while the method ran');
    }
  }
}

function notRunning(subject: CallSubject): CallRefusedError {
  return new CallRefusedError(subject, 'not-running', 'Look with list() what it waits for, or call again later.');
}

function notCallable(subject: CallSubject): CallRefusedError {
  return new CallRefusedError(subject, 'not-callable', `Mark it: @Callable() ${subject.method}(…).`);
}
