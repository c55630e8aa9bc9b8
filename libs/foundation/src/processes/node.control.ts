/**
 * What a node is requested to do: to drain, or to take a process that would move there. On this node directly, on
 * another one by a call, as processes are called. Called by the manager; the call server finds it under a name of its
 * own.
 */
import type { OwnerRecord } from '../backend/leases/leases.js';
import type { CallRouter } from '../calls/call.router.js';
import type { CallTarget } from '../calls/call.target.js';
import { Callable } from '../calls/callable.decorator.js';
import type { Callee, CalleeLookup } from '../calls/callee.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import type { MembershipProtocol } from '../cluster/membership.protocol.js';
import type { FoundationConfig } from '../config/config.js';
import { ArgumentError } from '../errors/config.errors.js';
import { shown } from '../errors/describe.js';
import { ProcessTimeoutError } from '../errors/process.errors.js';
import { givenTime } from '../foreign/given.options.js';
import { type NodeFigures, type NodeHistory, readSeriesName } from '../telemetry/figures.report.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { type HasFigures, slotsOf } from '../telemetry/work.figures.js';
import { clockOf } from '../time/clock.js';
import type { Duration } from '../time/duration.js';
import { endsWithin } from '../time/timeout.js';
import { list, text } from '../wire/decode.js';
import type { NodeIdentity } from '../wire/node.identity.js';
import { type Inspection, Inspections } from './inspection.js';
import type { AskNode } from './supervision/rebalancer.js';
import type { Supervisor } from './supervision/supervisor.js';

/** By which calls reach a node; no process is called so. */
export const NODE_CONTROL = 'node:control';

/** Where the control of a node is called. */
export function controlOf({ name: node, bootId }: NodeIdentity): CallTarget {
  return { name: NODE_CONTROL, node, bootId, epoch: 1, isInternal: true };
}

/** A node that does not answer is retried later. */
const ASK_MS = 1000;
/** Of what a process waits for. */
const MAX_WAITS = 100;

/** Asks the node of a process what that process waits for; this node directly. */
export function askWaits(
  membership: Pick<ClusterView, 'self'>,
  supervisor: Pick<Supervisor, 'waitsOf'>,
  calls: () => Pick<CallRouter, 'callAt'>,
): (owner: OwnerRecord) => Promise<string[]> {
  return async ({ name, node, bootId }) => {
    if (bootId === membership.self.bootId) return supervisor.waitsOf(name);
    const answer = await calls().callAt(controlOf({ name: node, bootId }), 'waitsOf', [name], { timeout: ASK_MS });
    return readWaits(answer) ?? [];
  };
}

const readWaits = list(text(400), MAX_WAITS);

/** Asks other nodes by their {@link NodeControl.takes}. */
export function askNode(membership: Pick<ClusterView, 'members' | 'self'>, calls: Pick<CallRouter, 'callAt'>): AskNode {
  return async (node, name, limit) => {
    const member = membership.members().find((each) => each.name === node);
    if (member === undefined) return false;
    const args = [name, limit ?? null, membership.self.name];
    return (await calls.callAt(controlOf(member), 'takes', args, { timeout: ASK_MS })) === true;
  };
}

/** What the control of a node needs. */
export interface NodeControlParts {
  config: Pick<FoundationConfig, 'shutdownTimeout'>;
  membership: Pick<MembershipProtocol, 'drain' | 'undrain'>;
  view: Pick<ClusterView, 'state' | 'isLeaving' | 'self'> & Partial<Pick<ClusterView, 'clock'>>;
  supervisor: Pick<Supervisor, 'drain' | 'undrain' | 'hosted' | 'takes' | 'waitsOf' | 'running'>;
  /** The objects that are offered as services. */
  services: Pick<CalleeLookup, 'running'>;
  telemetry: Pick<Telemetry, 'emit'> & HasFigures;
}

/** See the file header. */
export class NodeControl implements CalleeLookup {
  readonly #inspections: Inspections;

  constructor(private readonly parts: NodeControlParts) {
    const { supervisor, services, telemetry } = parts;
    this.#inspections = new Inspections((name) => supervisor.running(name) ?? services.running(name), telemetry);
  }

  /**
   * Moves everything this node owns to other nodes; it takes nothing new from now on.
   *
   * @throws ProcessTimeoutError when something has not stopped by then; it goes on stopping.
   */
  @Callable({ idempotent: true })
  async drain(timeout: unknown = this.parts.config.shutdownTimeout): Promise<void> {
    const ms = givenTime('drain', 'timeout', timeout as Duration);
    await this.parts.membership.drain();
    if (await endsWithin(ms, this.parts.supervisor.drain(), clockOf(this.parts.view))) return;
    const left = this.parts.supervisor.hosted().map(({ name }) => name);
    throw new ProcessTimeoutError(
      left.join(', '),
      'did not stop',
      ms,
      'The node takes nothing new, and what remains goes on stopping.',
      'Let onProcessStop and the tasks of ctx.run heed ctx.signal.',
    );
  }

  /**
   * Takes work again after a drain; a node that is not drained goes on as it does.
   *
   * @throws ArgumentError when its application shuts down.
   */
  @Callable({ idempotent: true })
  async undrain(): Promise<void> {
    const { view } = this.parts;
    if (view.isLeaving || view.state === 'left') {
      const expected = 'a node that goes on running; start this one again';
      throw new ArgumentError('undrain', 'node', `"${view.self.name}" (its application shuts down)`, expected);
    }
    await this.parts.membership.undrain();
    this.parts.supervisor.undrain();
  }

  /** What the hooks, tasks and calls of a process of this node wait for. */
  @Callable()
  waitsOf(name: unknown): string[] {
    return typeof name === 'string' ? this.parts.supervisor.waitsOf(name).slice(0, MAX_WAITS) : [];
  }

  /** Whether this node keeps a place for a process that is to move here; see `Supervisor.takes`. */
  @Callable()
  takes(name: unknown, limit: unknown, from: unknown): boolean {
    if (typeof name !== 'string' || typeof from !== 'string' || !(limit === null || Number.isSafeInteger(limit))) {
      throw new ArgumentError(
        'takes',
        'name, limit',
        `${shown(name, 80)}, ${shown(limit, 80)}`,
        'a name, and a number or null',
      );
    }
    return this.parts.supervisor.takes(name, typeof limit === 'number' ? limit : undefined, from);
  }

  /** What ran here within the last minutes, 1 to 60: all methods, handlers and jobs. */
  @Callable()
  work(minutes: unknown): NodeFigures {
    return this.parts.telemetry.figures.report(slotsOf(minutes));
  }

  /** What one of them did in the last hour. */
  @Callable()
  workHistory(name: unknown): NodeHistory {
    const series = readSeriesName(name);
    if (series === undefined) throw new ArgumentError('workHistory', 'name', shown(name, 80), 'the name of a series');
    return this.parts.telemetry.figures.history(series);
  }

  /** What a process or a service of this node says of itself, and which of its methods can be called. */
  @Callable()
  async inspect(name: unknown): Promise<Inspection> {
    if (typeof name === 'string') return this.#inspections.of(name);
    throw new ArgumentError('inspect', 'name', shown(name, 80), 'the name of a process');
  }

  /** For the call server: a node has no epochs, and is there as long as its process. */
  running(name: string): Callee | undefined {
    if (name !== NODE_CONTROL) return undefined;
    return { target: this, lease: { epoch: 1, isHeld: () => true }, call: async (work) => work(), isInternal: true };
  }
}
