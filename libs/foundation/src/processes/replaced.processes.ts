/**
 * What an application provides in place of a process class, such as the mock of a test: nothing of it is started, and
 * the calls of this node go to it. Filled by the declarations; asked by the registry, the starter and the call server.
 */
import type { Type } from '@nestjs/common';
import type { OwnerRecord } from '../backend/leases/leases.js';
import type { Callee, CalleeLookup } from '../calls/callee.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import { processOf } from '../cluster/slot.names.js';
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { metadataOf } from './declaration/process.decorators.js';
import { classNameOf } from './declaration/process.target.js';

/** It is owned by nobody else, and never again. */
const EPOCH = 1;

interface Replaced {
  type: Type<object>;
  callee: Callee;
  since: number;
}

/** See the file header. */
export class ReplacedProcesses implements CalleeLookup {
  /** By process; one class may be started under several names. */
  readonly #byName = new Map<string, Replaced>();
  readonly #byType = new Map<Type<unknown>, Replaced>();

  constructor(private readonly membership: Pick<ClusterView, 'self' | 'clusterNow'>) {}

  /** Sends calls of the process to what `instance` gives, from here on; false when they are sent there already. */
  replace(type: Type<object>, instance: () => unknown): boolean {
    if (this.#byType.has(type)) return false;
    const { kind = 'singleton', count = 1 } = metadataOf(type) ?? {};
    const callee: Callee = {
      target: standInOf(type, instance),
      lease: { epoch: EPOCH, isHeld: () => true },
      spec: { kind, count },
      call: async (work) => work(),
    };
    const replaced = { type, callee, since: this.membership.clusterNow() };
    this.#byType.set(type, replaced);
    this.#byName.set(classNameOf(type), replaced);
    return true;
  }

  has(type: Type<unknown>): boolean {
    return this.#byType.has(type);
  }

  /** What is there in place of what a call starts, which may give it a name of its own. */
  start(type: Type<unknown>, name = classNameOf(type)): OwnerRecord {
    this.#byName.set(name, this.#byType.get(type)!);
    return this.owner(name)!;
  }

  /** The number of partitions of a process that is replaced. */
  partitions(name: string): number | undefined {
    const { kind, count } = this.#byName.get(name)?.callee.spec ?? {};
    return kind === 'partitioned' && typeof count === 'number' ? count : undefined;
  }

  /** This node, for a process that is replaced, or a part of one. */
  owner(name: string): OwnerRecord | undefined {
    const replaced = this.#byName.get(processOf(name));
    if (replaced === undefined) return undefined;
    const { name: node, bootId } = this.membership.self;
    return { name, node, bootId, epoch: EPOCH, state: 'running', since: replaced.since };
  }

  running(name: string): Callee | undefined {
    return this.#byName.get(processOf(name))?.callee;
  }
}

/** An object with the marks of the class, whose methods are those of another object. */
function standInOf(type: Type<object>, instance: () => unknown): object {
  return new Proxy(Object.create(type.prototype as object) as object, {
    get(_target, key) {
      // Guards and the like of the class are not applied to what stands in its place.
      if (key === 'constructor') return undefined;
      return (...args: unknown[]): unknown => {
        const target = Object(instance()) as Record<PropertyKey, unknown>;
        const method = target[key];
        if (typeof method === 'function') return Reflect.apply(method, target, args);
        const expected = `a method of what is provided in place of the class ${type.name}`;
        throw new ArgumentError(type.name, 'method', show(key), expected);
      };
    },
  });
}
