/**
 * Calls a method of every replica or partition of a process, and collects what they answer.
 * Used by the facade; underneath a call by `CallRouter` for each of them.
 */
import type { Type } from '@nestjs/common';
import type { Backend } from '../backend/backend.js';
import { checkMethod } from '../calls/call.codec.js';
import { notCallable } from '../calls/call.outcome.js';
import type { CalledProcess, CallRouter } from '../calls/call.router.js';
import { callableOf } from '../calls/callable.decorator.js';
import {
  checkGatherOptions,
  GatherCount,
  type Gathered,
  Gathering,
  type GatherOptions,
  type GatherPlace,
  type MissingReason,
} from '../calls/gathering.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import { partitionsOf, runsEverywhere } from '../cluster/slot.names.js';
import type { FoundationConfig } from '../config/config.js';
import {
  CallInterruptedError,
  CallRefusedError,
  type CallSubject,
  CallTimeoutError,
  RemoteError,
} from '../errors/call.errors.js';
import { NotReadyError } from '../errors/cluster.errors.js';
import { ArgumentError } from '../errors/config.errors.js';
import { RedisRefusedError, RedisUnavailableError } from '../errors/connection.errors.js';
import { describe, isA, read } from '../errors/describe.js';
import { OverloadedError } from '../errors/limit.errors.js';
import { UnknownProcessError } from '../errors/process.errors.js';
import { inRedis } from '../errors/refusal.js';
import { requireNotAborted } from '../foreign/abort.signals.js';
import { unattended } from '../foreign/gate.js';
import { millisecondsOf } from '../time/duration.js';
import { within } from '../time/timeout.js';
import { nameOf } from './declaration/process.target.js';
import { exclusionOf } from './placement/placement.exclusion.js';
import type { ProcessGroup, ProcessInfo } from './process.ref.js';
import type { ProcessRegistry } from './process.registry.js';
import type { ReplacedProcesses } from './replaced.processes.js';
import { isEnded, type ProcessTable, type VersionedEntry } from './table/process.table.js';

/** What the gatherer needs. */
export interface ProcessGathererParts {
  table: Pick<ProcessTable, 'get' | 'sync' | 'slotsOf' | 'processes'>;
  registry: Pick<ProcessRegistry, 'members'>;
  replaced: Pick<ReplacedProcesses, 'owner' | 'partitions'>;
  calls: CallRouter;
  membership: Pick<ClusterView, 'requireConnected' | 'awaitReady' | 'state' | 'members' | 'listen'>;
  backend: Pick<Backend, 'endpoint'>;
  config: Pick<FoundationConfig, 'calls'>;
}

/** One replica or partition that is asked. */
interface Asked {
  process: string;
  /** It is that of this node, and of no other one. */
  node?: string;
  /** It is known that nothing answers. */
  isDown?: boolean;
}

/** See the file header. */
export class ProcessGatherer {
  readonly #count = new GatherCount();

  constructor(private readonly parts: ProcessGathererParts) {}

  /** See `ProcessManager.all`. */
  all<T>(target: string | Type<T>, options: GatherOptions = {}): ProcessGroup<T> {
    const name = nameOf(target);
    const type = typeof target === 'function' ? target : undefined;
    checkGatherOptions(`all("${name}")`, options);
    const ways = {
      name,
      call: (method: string, ...args: unknown[]) => this.#gather({ name, type }, method, args, options),
      with: (more: GatherOptions) => {
        // Before they are put together: of a text of megabytes every character would be an option.
        checkGatherOptions('all', more);
        return this.all<T>(target, { ...options, ...more });
      },
    };
    return ways as unknown as ProcessGroup<T>;
  }

  async #gather(
    { name, type }: CalledProcess,
    method: string,
    args: readonly unknown[],
    { timeout, min, signal }: GatherOptions,
  ): Promise<Gathered> {
    const { membership, calls } = this.parts;
    checkMethod(name, method);
    if (type !== undefined && callableOf(type.prototype, method) === undefined) {
      throw notCallable({ processName: name, method, node: '?' });
    }
    requireNotAborted(signal);
    membership.requireConnected();
    const timeoutMs = timeout === undefined ? this.parts.config.calls.timeout : millisecondsOf(timeout);
    if (membership.state === 'joining') await membership.awaitReady({ timeout: timeoutMs });
    const asked = await this.#asked(name, timeoutMs);
    requireNotAborted(signal);
    const ended = this.#count.begin(`all("${name}").call("${method}")`, asked.length);
    const over = new AbortController();
    const places = asked.map((each): [string, GatherPlace] => [each.process, placeOf(each, calls)]);
    const gathering = new Gathering(new Map(places), { min, signal });
    gathering.onEnd(ended);
    gathering.onEnd(() => over.abort());
    gathering.onEnd(membership.listen({ changed: () => this.#forgetLeft(gathering, asked) }));
    const callOptions = { signal: over.signal, ...(timeout === undefined ? {} : { timeout }) };
    for (const each of asked) {
      if (each.isDown === true) gathering.miss(each.process, 'not-running');
      else {
        const callee = { name: each.process, type, locate: this.#locate(name, each.process) };
        const call = calls.call(callee, method, args, callOptions);
        unattended('gathering the answers of a process', this.#settled(gathering, each.process, call));
      }
    }
    return gathering.result;
  }

  /** Those that run, should run, or should and cannot. */
  async #asked(name: string, timeoutMs: number): Promise<Asked[]> {
    const { table, replaced, registry, backend } = this.parts;
    if (replaced.owner(name) !== undefined) {
      const partitions = replaced.partitions(name);
      if (partitions === undefined) return [{ process: name }];
      return Array.from({ length: partitions }, (_, index) => ({ process: `${name}/${index}` }));
    }
    // A node without the class hears of a process a moment after it was started.
    if (table.get(name) === undefined) {
      const late = `no answer in ${timeoutMs} ms`;
      await inRedis(backend.endpoint, `looking for "${name}"`, () => within(timeoutMs, table.sync(), late));
    }
    const entry = table.get(name);
    if (entry === undefined) {
      const known = table.processes().map((each) => each.name);
      throw new UnknownProcessError(name, known);
    }
    if (!runsEverywhere(entry) || entry.of !== undefined) return slotsOf(entry, table);
    const replicas = registry.members(entry);
    const running = replicas
      .filter(({ state }) => state !== 'completed' && state !== 'stopped')
      .map(({ name: slot, node = '?', state }) => ({
        ...{ process: slot, node },
        isDown: state !== 'running' && state !== 'starting',
      }));
    return entry.status === 'wanted' ? [...running, ...this.#toCome(entry, replicas)] : running;
  }

  /** The replicas of nodes that have just joined, and have not started theirs. */
  #toCome(entry: VersionedEntry, replicas: readonly ProcessInfo[]): Asked[] {
    const there = new Set(replicas.map(({ node }) => node));
    return this.parts.membership
      .members()
      .filter((member) => member.state !== 'suspect' && !there.has(member.name))
      .filter((member) => member.classes.includes(entry.type) && exclusionOf(entry, member) === undefined)
      .map(({ name: node }) => ({ process: `${entry.name}@${node}`, node, isDown: true }));
  }

  /** A partition refuses a call that takes it for one of another number of them. */
  #locate(name: string, slot: string): CalledProcess['locate'] {
    const { table, replaced } = this.parts;
    return () => {
      const entry = table.get(name);
      const partitions = replaced.partitions(name) ?? (entry === undefined ? undefined : partitionsOf(entry));
      return { name: slot, ...(partitions === undefined ? {} : { partitions }) };
    };
  }

  /** What runs on its very node goes with it; all else is owned by another node by and by. */
  #forgetLeft(gathering: Gathering, asked: readonly Asked[]): void {
    const { membership } = this.parts;
    if (membership.state === 'left') return gathering.end('closing');
    const here = new Set(membership.members().map(({ name }) => name));
    for (const { process: slot, node } of asked) {
      if (node !== undefined && !here.has(node)) gathering.miss(slot, 'left');
    }
  }

  async #settled(gathering: Gathering, slot: string, call: Promise<unknown>): Promise<void> {
    try {
      gathering.answer(slot, [await call]);
    } catch (error) {
      // It is the same for all of them: nothing was sent.
      if (isA(error, ArgumentError)) return gathering.fail(error);
      const subject = read(error, 'subject') as CallSubject | undefined;
      const node = subject?.node === '?' ? undefined : subject?.node;
      const isGone = node !== undefined && !this.parts.membership.members().some(({ name }) => name === node);
      const { reason, message } = missingOf(error, isGone);
      gathering.miss(slot, reason, message, node);
    }
  }
}

function placeOf({ process: slot, node }: Asked, { owners }: Pick<CallRouter, 'owners'>): GatherPlace {
  // As it is known when it is said.
  return {
    process: slot,
    get node() {
      return node ?? owners.get(slot)?.node ?? '?';
    },
  };
}

function slotsOf(entry: VersionedEntry, table: Pick<ProcessTable, 'slotsOf'>): Asked[] {
  const slots = entry.of === undefined ? table.slotsOf(entry) : [entry];
  return slots
    .filter(({ status }) => status !== 'completed' && status !== 'stopped')
    .map(({ name, status }) => ({ process: name, isDown: isEnded(status) }));
}

const REASONS: readonly [type: abstract new (...args: never[]) => Error, reason: MissingReason][] = [
  [CallTimeoutError, 'timeout'],
  [OverloadedError, 'refused'],
  [NotReadyError, 'closing'],
  [RedisUnavailableError, 'unreachable'],
  [RedisRefusedError, 'unreachable'],
];

function missingOf(error: unknown, isGone: boolean): { reason: MissingReason; message?: string } {
  if (isA(error, RemoteError)) return { reason: 'failed', message: describe(error) };
  if (isA(error, CallRefusedError)) {
    const { why } = error;
    return why === 'not-running' ? { reason: why } : { reason: 'refused', message: describe(error) };
  }
  if (isA(error, CallInterruptedError)) return { reason: isGone ? 'left' : 'interrupted' };
  const [, reason] = REASONS.find(([type]) => isA(error, type)) ?? [];
  return reason === undefined ? { reason: 'failed', message: describe(error) } : { reason };
}
