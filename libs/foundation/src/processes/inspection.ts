/**
 * Looks at a process or a service of this node for an operator: what its `inspect()` says, and which of its methods
 * can be called.
 * Used by the control of the node; underneath the gate, since what looks back is code of the application.
 */
import { callableOf } from '../calls/callable.decorator.js';
import type { Callee } from '../calls/callee.js';
import { describe, read } from '../errors/describe.js';
import { called, type Counts, Gate } from '../foreign/gate.js';
import { list, optional, type Reader, record, text } from '../wire/decode.js';

/** What an operator sees of a process or a service. */
export interface Inspection {
  /** The names of its `@Callable` methods. */
  methods: string[];
  /** What `inspect()` returned, as JSON; absent without such a method. */
  state?: string;
  /** Why there is no state. */
  problem?: string;
}

/** How long `inspect()` may take, in milliseconds. */
const INSPECT_MS = 2000;
/** Of the state as JSON. */
export const MAX_STATE = 64 * 1024;
/** Of it, so that what holds half of the application is not written first. */
export const MAX_STATE_VALUES = 10_000;
const MAX_METHODS = 200;
const MAX_METHOD = 200;
const MAX_PROBLEM = 1000;

/** What another node said. */
export const readInspection: Reader<Inspection> = record<Inspection>({
  methods: list(text(MAX_METHOD), MAX_METHODS),
  state: optional(text(MAX_STATE)),
  problem: optional(text(MAX_PROBLEM)),
});

/** See the file header. */
export class Inspections {
  readonly #gate: Gate;
  /** Those that go on: who asks meanwhile gets the same. */
  readonly #going = new Map<string, Promise<Inspection>>();

  constructor(
    private readonly running: (name: string) => Pick<Callee, 'target' | 'call'> | undefined,
    counts: Counts,
  ) {
    this.#gate = new Gate(counts);
  }

  /** Never rejects. */
  of(name: string): Promise<Inspection> {
    const going = this.#going.get(name);
    if (going !== undefined) return going;
    const inspection = this.#look(name).finally(() => this.#going.delete(name));
    // What does not run here takes no place, however many names are asked for.
    this.#going.set(name, inspection);
    return inspection;
  }

  async #look(name: string): Promise<Inspection> {
    const instance = this.running(name);
    const target = instance?.target;
    if (instance === undefined || target === undefined)
      return { methods: [], problem: 'It does not run on this node.' };
    const methods = methodsOf(target);
    const hook = read(target, 'inspect');
    if (typeof hook !== 'function') return { methods, problem: 'Its class has no inspect().' };
    let problem = `inspect() did not answer in ${INSPECT_MS} ms.`;
    const state = await this.#gate.wait<string | undefined>(
      `inspect() of "${name}"`,
      INSPECT_MS,
      undefined,
      async () => {
        try {
          return written(await called(() => instance.call(() => hook.call(target) as unknown)));
        } catch (error) {
          problem = `inspect() failed: ${describe(error)}`.slice(0, MAX_PROBLEM);
          throw error;
        }
      },
    );
    return state === undefined ? { methods, problem } : { methods, state };
  }
}

/** @throws what JSON throws, and `RangeError` for what is too large. */
export function written(value: unknown): string {
  let left = MAX_STATE_VALUES;
  const count = (_key: string, each: unknown): unknown => {
    if ((left -= 1) < 0) throw new RangeError(`it has more than ${MAX_STATE_VALUES} values`);
    return each;
  };
  const json = (JSON.stringify(value, count, 2) as string | undefined) ?? 'undefined';
  if (json.length <= MAX_STATE) return json;
  throw new RangeError(`it has ${json.length} characters of JSON, more than ${MAX_STATE}`);
}

/** Of the class and those that it extends. */
function methodsOf(target: object): string[] {
  const names = new Set<string>();
  const own: unknown = Object.getPrototypeOf(target);
  for (let each = own; typeof each === 'object' && each !== null; each = Object.getPrototypeOf(each) as unknown) {
    for (const name of Object.getOwnPropertyNames(each)) if (callableOf(own, name) !== undefined) names.add(name);
  }
  return [...names]
    .filter((name) => name.length <= MAX_METHOD)
    .slice(0, MAX_METHODS)
    .sort();
}
