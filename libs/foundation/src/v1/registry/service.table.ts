/**
 * The services of this node by namespace and name, each with the object that it is. Pure: the caller brings the time.
 */
import type { Gate } from '../../foreign/gate.js';
import { Listeners } from '../../foreign/listeners.js';
import { isSafeName } from '../../settings/config.path.js';
import { isName } from '../../wire/names.js';

/** `:production`, `{:test, ref}`, or another name: services of one know nothing of those of another. */
export type Namespace = string | { readonly test: string };

/**
 * What stands for a process of 1.x: any object or function. One that has `isAlive()` is dead once that is not `true`;
 * `stop()` ends it when its test namespace is cleaned up.
 */
export type Service = object & { isAlive?: () => boolean; stop?: () => unknown };

/** A service that is registered. */
export interface Entry {
  readonly namespace: string;
  readonly name: string;
  readonly service: Service;
  /** When it was registered. */
  readonly since: number;
}

/** The most services of a node, of all namespaces. */
const MAX_SERVICES = 10_000;
const TEST = 'test:';

/** See the file header. */
export class ServiceTable {
  readonly #entries = new Map<string, Map<string, Entry>>();
  readonly #added = new Listeners<[Entry]>('ServiceRegistry.waitForService');
  #size = 0;

  /** @param onRemoved is notified of one that is no longer registered, such as one that is dead. */
  constructor(
    private readonly gate: Gate,
    private readonly onRemoved: (place: { namespace: string; name: string }) => void,
  ) {}

  get isFull(): boolean {
    return this.#size >= MAX_SERVICES;
  }

  /** Who has the name, if not this one; of a dead one it is taken. `undefined` when it is registered now. */
  add(entry: Entry): Service | undefined {
    const holder = this.find(entry.namespace, entry.name);
    if (holder !== undefined) return holder.service === entry.service ? undefined : holder.service;
    const names = this.#entries.get(entry.namespace) ?? new Map<string, Entry>();
    this.#entries.set(entry.namespace, names.set(entry.name, entry));
    this.#size += 1;
    this.#added.tell(entry);
    return undefined;
  }

  /** One that is alive; a dead one is removed. */
  find(namespace: string, name: string): Entry | undefined {
    const entry = this.#entries.get(namespace)?.get(name);
    if (entry === undefined || this.isAlive(entry.service)) return entry;
    this.delete(namespace, name);
    return undefined;
  }

  /** The next one that is added under a name; `undefined` after so many milliseconds. */
  next({ namespace, name }: { namespace: string; name: string }, ms: number): Promise<Entry | undefined> {
    return new Promise((resolve) => {
      const end = (entry?: Entry): void => {
        clearTimeout(timer);
        remove();
        resolve(entry);
      };
      const timer = setTimeout(end, ms);
      const remove = this.#added.add((entry) => {
        if (entry.namespace === namespace && entry.name === name) end(entry);
      });
    });
  }

  delete(namespace: string, name: string): void {
    const names = this.#entries.get(namespace);
    if (names?.delete(name) !== true) return;
    this.#size -= 1;
    if (names.size === 0) this.#entries.delete(namespace);
    this.onRemoved({ namespace, name });
  }

  /** Those of a namespace that are alive. */
  list(namespace: string): Entry[] {
    const entries = [...(this.#entries.get(namespace)?.values() ?? [])];
    return entries.filter(({ name }) => this.find(namespace, name) !== undefined);
  }

  namespaces(): string[] {
    return [...this.#entries.keys()];
  }

  isAlive(service: Service): boolean {
    const isAlive = this.gate.ask('isAlive', undefined, () => service.isAlive);
    if (typeof isAlive !== 'function') return true;
    // Its answer itself goes through the gate: it may be a promise that rejects.
    return this.gate.ask<[], unknown>('isAlive', false, () => service.isAlive?.()) === true;
  }
}

/** The text of a namespace; `undefined` for what is none. */
export function namespaceText(namespace: unknown): string | undefined {
  if (typeof namespace === 'object' && namespace !== null && 'test' in namespace) {
    return isName(namespace.test) ? `${TEST}${namespace.test}` : undefined;
  }
  return isName(namespace) && !namespace.startsWith(TEST) ? namespace : undefined;
}

export function isTest(namespace: string): boolean {
  return namespace.startsWith(TEST);
}

export function isServiceName(name: unknown): name is string {
  return isName(name) && isSafeName(name);
}
