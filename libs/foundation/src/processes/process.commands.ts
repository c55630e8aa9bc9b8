/**
 * What an operator does with processes: stop, restart, move and drain.
 * Used by the facade. Underneath: rows of the process table, which the owners carry out; a drain is a call to the node.
 */
import type { Backend } from '../backend/backend.js';
import type { CallRouter } from '../calls/call.router.js';
import type { CallTarget } from '../calls/call.target.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import { declaredBy } from '../cluster/compatibility.js';
import type { Member } from '../cluster/member.js';
import { runsEverywhere, slotNames } from '../cluster/slot.names.js';
import type { FoundationConfig } from '../config/config.js';
import type { IssuedCommands } from '../context/actor.js';
import { CallInterruptedError, CallRefusedError } from '../errors/call.errors.js';
import { ArgumentError } from '../errors/config.errors.js';
import { isA, quoted, show } from '../errors/describe.js';
import { UnknownProcessError } from '../errors/process.errors.js';
import { unattended } from '../foreign/gate.js';
import { givenOptions, givenTime } from '../foreign/given.options.js';
import { type Duration, LONGEST_TIMER_MS } from '../time/duration.js';
import { controlOf, type NodeControl } from './node.control.js';
import type { Patience } from './patience.js';
import { type Candidate, explain } from './placement/placement.js';
import type { ProcessRef } from './process.ref.js';
import type { ProcessRefs } from './process.refs.js';
import type { ProcessRegistry } from './process.registry.js';
import { stoppedRow, untilStopped } from './process.stop.js';
import type { ProcessWaiter } from './process.waiter.js';
import type { Supervisor } from './supervision/supervisor.js';
import { declaring, isOrphan } from './table/orphans.js';
import { isEnded, type ProcessEntry, type ProcessTable, type VersionedEntry } from './table/process.table.js';

/** What the commands need. */
export interface ProcessCommandsParts {
  config: Pick<FoundationConfig, 'lease' | 'shutdownTimeout' | 'calls'>;
  backend: Pick<Backend, 'leases' | 'restarts'>;
  membership: ClusterView;
  table: ProcessTable;
  registry: ProcessRegistry;
  supervisor: Pick<Supervisor, 'hosts' | 'isWithin'>;
  calls: Pick<CallRouter, 'callAt'>;
  control: Pick<NodeControl, 'drain' | 'undrain'>;
  refs: ProcessRefs;
  waiter: ProcessWaiter;
  patience: Patience;
  commands: Pick<IssuedCommands, 'issued'>;
}

/** What is drained, and how long that may take. */
type DrainOptions = { node?: string; timeout?: Duration };

/** See the file header. */
export class ProcessCommands {
  constructor(private readonly parts: ProcessCommandsParts) {}

  /** See `ProcessManager.stop`. */
  async stop(name: string): Promise<void> {
    const { table, registry, supervisor, patience } = this.parts;
    const epochs = new Map<string, number>();
    const entry = await patience.retry('stopping a process', async () => {
      const owners = await registry.owners(this.#slotsOf(await this.#known(name)));
      for (const owner of owners) if (owner !== undefined) epochs.set(owner.name, owner.epoch);
      return table.change(name, (current) => {
        if (current === undefined) throw this.#unknown(name);
        const isDown = isEnded(current.status) && current.status !== 'escalated';
        return isDown ? undefined : stoppedRow(current, epochs);
      });
    });
    if (entry === undefined) return;
    this.parts.commands.issued('stop', { process: name });
    const slots = this.#slotsOf(entry);
    if (!supervisor.isWithin(slots)) await untilStopped(this.parts, { entry, slots, epochs });
  }

  /** See `ProcessManager.restart`. */
  async restart<T>(name: string): Promise<ProcessRef<T>> {
    const withoutPreference = ({ prefer: _prefer, ...rest }: ProcessEntry): ProcessEntry => rest;
    const { entry, ran } = await this.#raise('restarting a process', name, withoutPreference);
    this.parts.commands.issued('restart', { process: name });
    const { after } = entry;
    const [first = name] = this.#slotsOf(entry);
    const startTimeout = entry.options.timeout;
    const own = await this.#within<T>(this.#slotsOf(entry), first);
    if (own !== undefined) return own;
    // Those that ran run again, or it is said why not; the others wait for a place as they did before.
    const others = ran.filter((slot) => slot !== first);
    const [ref] = await Promise.all([
      this.parts.waiter.running<T>({ name: first, after, startTimeout }),
      this.parts.waiter.againRunning(name, others, after, startTimeout),
    ]);
    return ref;
  }

  /** See `ProcessManager.move`. */
  async move<T>(name: string, node: string): Promise<ProcessRef<T>> {
    const { registry, refs, waiter, patience } = this.parts;
    const known = await patience.once('moving a process', () => this.#known(name));
    const owner = await patience.once('moving a process', () => registry.running(name));
    const candidate = this.explain(name, owner?.node).find((each) => each.node === node);
    if (candidate === undefined || candidate.excluded) {
      const why = candidate === undefined ? 'it is no member' : candidate.reason;
      throw new ArgumentError(`move("${name}")`, 'node', `${quoted(node)} (${why})`, 'a node that can run the process');
    }
    requireMovable(known);
    if (owner?.node === node) return refs.ofOwner<T>(owner);
    const { entry } = await this.#raise('moving a process', name, (rest, current, ran) => {
      requireMovable(current, ran[0] !== undefined);
      return { ...rest, prefer: node };
    });
    this.parts.commands.issued('move', { process: name, target: node });
    const { after, options } = entry;
    const own = await this.#within<T>([name], name);
    if (own !== undefined) return own;
    return waiter.running<T>({ name, after, startTimeout: options.timeout });
  }

  /** See `ProcessManager.forget`. */
  async forget(name: string): Promise<void> {
    const { backend, membership, table, registry, patience } = this.parts;
    await patience.retry('forgetting a process', async () => {
      for (;;) {
        const entry = await this.#known(name);
        const slots = this.#slotsOf(entry);
        const owner = (await registry.owners(slots)).find((each) => each !== undefined);
        const isDeclared = declaredBy(membership.records());
        const obstacle =
          entry.of !== undefined
            ? `it is a part of "${entry.of}"`
            : owner !== undefined
              ? `it runs on ${owner.node}`
              : !entry.declared
                ? 'a call has started it; stopped, it goes ten minutes later'
                : isOrphan(entry, isDeclared)
                  ? undefined
                  : `${declaring(name, membership.records())} it`;
        if (obstacle !== undefined) {
          throw new ArgumentError(
            'forget',
            'name',
            `"${name}" (${obstacle})`,
            'a process that no node declares any longer',
          );
        }
        await Promise.all(slots.map((slot) => backend.restarts.forget(slot)));
        // Somebody may have changed it meanwhile.
        if (!(await table.forget(entry))) continue;
        this.parts.commands.issued('forget', { process: name });
        return;
      }
    });
  }

  /** See `ProcessManager.explainPlacement`. */
  explain(name: string, owner?: string): Candidate[] {
    const { membership, table, supervisor } = this.parts;
    if (!['string', 'undefined'].includes(typeof owner))
      throw new ArgumentError('explainPlacement', 'owner', show(owner), 'the name of a node');
    const node = owner ?? (supervisor.hosts(name) ? membership.self.name : undefined);
    const entry = table.get(name);
    if (entry === undefined) throw this.#unknown(name);
    if (entry.kind !== 'singleton' && entry.of === undefined) {
      const some = this.#slotsOf(entry).slice(0, 3).join(', ');
      throw new ArgumentError('explainPlacement', 'name', `"${name}"`, `one of ${some}, …`);
    }
    return explain(entry, membership.members(), { owner: node });
  }

  /** See `ProcessManager.drain`. */
  async drain(options: DrainOptions): Promise<void> {
    const { config, membership, supervisor, calls, control, patience, commands } = this.parts;
    const { node, timeout: given } = givenOptions<DrainOptions>('drain', options, ['node', 'timeout']);
    const most = LONGEST_TIMER_MS - config.calls.timeout;
    const timeout = givenTime('drain', 'timeout', given ?? config.shutdownTimeout, { most });
    if (node === undefined || node === membership.self.name) {
      commands.issued('drain', { target: membership.self.name });
      const draining = patience.once('draining this node', () => control.drain(timeout));
      if (!supervisor.isWithin()) return draining;
      unattended('draining this node', draining);
      return;
    }
    const { member, target } = this.#controlOf(node, 'drain');
    commands.issued('drain', { target: node });
    try {
      await calls.callAt(target, 'drain', [timeout], { timeout: timeout + config.calls.timeout });
      await membership.replica.refresh();
    } catch (error) {
      const isLost = isA(error, CallInterruptedError) || (isA(error, CallRefusedError) && error.why === 'not-running');
      if (!isLost || membership.members().some(({ bootId }) => bootId === member.bootId)) throw error;
    }
  }

  /** See `ProcessManager.undrain`. */
  async undrain(options: Pick<DrainOptions, 'node'>): Promise<void> {
    const { node = this.parts.membership.self.name } = givenOptions<DrainOptions>('undrain', options, ['node']);
    const { membership, calls, control, patience, commands } = this.parts;
    if (node === membership.self.name) {
      await patience.once('undraining this node', () => control.undrain());
      return commands.issued('undrain', { target: node });
    }
    try {
      await calls.callAt(this.#controlOf(node, 'undrain').target, 'undrain', []);
      commands.issued('undrain', { target: node });
      await membership.replica.refresh();
    } catch (error) {
      if (!isA(error, CallRefusedError) || error.why !== 'not-callable') throw error;
      throw new ArgumentError(
        'undrain',
        'node',
        `"${node}" (its version cannot)`,
        'one of this version; start it again',
      );
    }
  }

  #controlOf(node: string, call: string): { member: Member; target: CallTarget } {
    const member = this.parts.membership.members().find(({ name }) => name === node);
    if (member === undefined) throw new ArgumentError(call, 'node', `${quoted(node)} (it is no member)`, 'a member');
    return { member, target: controlOf(member) };
  }

  /**
   * The ref of what is still there when the code that runs now is part of what ends: its call, task or hook is waited
   * for by the end that it would wait for. `undefined` for all others, which wait.
   */
  async #within<T>(slots: readonly string[], name: string): Promise<ProcessRef<T> | undefined> {
    const { registry, refs, supervisor } = this.parts;
    if (!supervisor.isWithin(slots)) return undefined;
    const owner = await registry.owner(name);
    return owner && refs.ofOwner<T>(owner);
  }

  /** Forbids every epoch so far, so that what runs must be started again; says what of it had an owner. */
  #raise(
    doing: string,
    name: string,
    change: (entry: ProcessEntry, current: VersionedEntry, ran: readonly unknown[]) => ProcessEntry,
  ): Promise<{ entry: VersionedEntry; ran: string[] }> {
    const { backend, table, registry, patience } = this.parts;
    return patience.once(doing, async () => {
      const slots = this.#slotsOf(await this.#known(name));
      await Promise.all(slots.map((slot) => backend.restarts.forget(slot)));
      const owners = await registry.owners(slots);
      // INVARIANT (I18): above the instance that is over too. Its end may not be recorded yet, and must not count for
      // what begins now; see `instance.end.ts`.
      const epochs = await Promise.all(
        owners.map(async (owner, index) => owner?.epoch ?? (await backend.leases.lastEpoch(slots[index]!))),
      );
      const entry = await table.change(name, (current) => {
        if (current === undefined) throw this.#unknown(name);
        const { error: _error, stack: _stack, crashes: _crashes, ...others } = current;
        const { retryAt: _retryAt, avoid: _avoid, ranOn: _ranOn, ...rest } = others;
        // INVARIANT (I13): a temporary process that was started since the owners were queried has the epoch after its
        // mark.
        const marked = current.status === 'once' ? current.after + 1 : current.after;
        const after = Math.max(table.floor(name), marked, ...epochs);
        return change({ ...rest, status: 'wanted', after }, current, owners);
      });
      return { entry: entry as VersionedEntry, ran: owners.flatMap((owner) => owner?.name ?? []) };
    });
  }

  /**
   * The entry of a process, as Redis has it. The replica of this node may not have heard yet of what a caller elsewhere
   * was told a moment ago: a stop would find it ended and do nothing, a restart would count the parts that it had.
   */
  async #known(name: string): Promise<VersionedEntry> {
    const { table } = this.parts;
    await table.sync();
    const entry = table.get(name);
    if (entry === undefined) throw this.#unknown(name);
    return entry;
  }

  #unknown(name: string): UnknownProcessError {
    return new UnknownProcessError(
      name,
      this.parts.table.processes().map((entry) => entry.name),
    );
  }

  #slotsOf(entry: VersionedEntry | Omit<VersionedEntry, 'after'>): string[] {
    if (entry.of !== undefined || entry.kind === 'singleton') return [entry.name];
    if (!runsEverywhere(entry)) return slotNames(entry, '');
    return this.parts.membership.members().flatMap(({ name: node }) => slotNames(entry, node));
  }
}

/**
 * INVARIANT (I13): a move starts nothing that has ended: neither what an operator has stopped, nor a job that is done.
 * A temporary process that was started and has no owner may have run. @throws ArgumentError
 */
function requireMovable({ name, status }: VersionedEntry, isOwned = true): void {
  const hasRun = status === 'once' && !isOwned;
  if (!isEnded(status) && !hasRun) return;
  const why = hasRun ? 'it has run' : `it ${status === 'stopped' || status === 'escalated' ? 'is' : 'has'} ${status}`;
  const expected = 'a process that is to run; start it, or restart it';
  throw new ArgumentError(`move("${name}")`, 'process', `"${name}" (${why})`, expected);
}
