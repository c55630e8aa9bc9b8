/**
 * What the nodes of a test cluster say of it together, as soon as they agree.
 */
import { eventually } from '../eventually.js';
import type { NodeView } from './node.agent.js';
import type { TestNode } from './test.node.js';

const STOPPED = Symbol('stopped');

/** Who owns a slot, as every node that can be asked says. */
export interface SlotOwner {
  name: string;
  node: string;
  epoch: number;
}

/** See the file header. */
export class ClusterViews {
  #isStopped = false;

  constructor(
    private readonly nodes: ReadonlyMap<string, TestNode>,
    private readonly timeout: number,
  ) {}

  /** Waits that are under way end now, and later ones at once: nobody answers any more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Those that run, and are neither frozen nor cut off from Redis. */
  askable(): TestNode[] {
    return [...this.nodes.values()].filter(({ isRunning, isFrozen, isCut }) => isRunning && !isFrozen && !isCut);
  }

  any(): TestNode {
    const [first] = this.askable();
    if (first === undefined) throw new Error(`No node of this cluster can be asked:${this.#others()}`);
    return first;
  }

  /**
   * Asks all of them again and again until `find` finds something in what they say.
   *
   * @throws Error after the timeout, with what each said last, and once the cluster is stopped.
   */
  async agree<T>(
    what: string,
    timeout: number | undefined,
    find: (views: NodeView[]) => T | undefined,
  ): Promise<Exclude<T, undefined | null | false>> {
    let last = '';
    const look = async (): Promise<T | typeof STOPPED | undefined> => {
      if (this.#isStopped) return STOPPED;
      const asked = this.askable();
      if (asked.length === 0) {
        last = '';
        return undefined;
      }
      const views = await Promise.all(asked.map((node) => node.view()));
      last = views.map((view) => `\n${shown(view)}`).join('');
      return find(views);
    };
    const lastSeen = (): string => `${last}${this.#others()}`;
    const found = await eventually(look, { timeout: timeout ?? this.timeout, what, lastSeen });
    if (found === STOPPED) throw new Error('This cluster is stopped');
    return found;
  }

  /** For an error: the nodes that are not asked, and why. */
  #others(): string {
    const why = ({ isRunning, isFrozen }: TestNode): string =>
      isRunning ? (isFrozen ? 'is frozen' : 'is cut off from Redis') : 'has ended';
    const askable = this.askable();
    const others = [...this.nodes.values()].filter((node) => !askable.includes(node));
    return others.map((node) => `\n${node.name} ${why(node)}`).join('');
  }
}

/** The owner that all of them name. */
export function ownerIn(name: string, views: readonly NodeView[]): SlotOwner | undefined {
  const [first, ...others] = views.map(({ processes }) =>
    processes.find((each) => each.name === name && each.state === 'running'),
  );
  if (first?.node === undefined || first.epoch === undefined) return undefined;
  const isAgreed = others.every((other) => other?.node === first.node && other?.epoch === first.epoch);
  return isAgreed ? { name, node: first.node, epoch: first.epoch } : undefined;
}

/** One of the parts of a partitioned or replicated process, each of which has an owner; `undefined` for other names. */
export function partOf(name: string, views: readonly NodeView[]): string | undefined {
  const names = views.flatMap(({ processes }) => processes.map((each) => each.name));
  return names.includes(name) ? undefined : names.find((each) => each.startsWith(`${name}/`));
}

function shown({ node, state, members, processes, error }: NodeView): string {
  const others = members.map((member) => (member.state === 'up' ? member.name : `${member.name} (${member.state})`));
  const owned = processes.map(
    ({ name, state: is, node: at = 'no node', epoch }) =>
      `${name} ${is} on ${at}${epoch === undefined ? '' : ` epoch ${epoch}`}`,
  );
  return `${node} is ${state}, sees ${others.join(', ') || 'no member'}: ${error ?? (owned.join('; ') || 'no process')}`;
}
