/**
 * Every step of joining and of leaving the cluster, in order.
 * Joins before the modules of the application are bootstrapped, begins to work after the last of them, drains before
 * any of them is destroyed, and leaves after the last.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { TerminatedNodes } from './cluster/topologies/terminated.nodes.js';
import { NotReadyError } from './errors/cluster.errors.js';
import { RedisUnavailableError } from './errors/connection.errors.js';
import { describe, isA } from './errors/describe.js';
import { asRedisError } from './errors/refusal.js';
import { unattended } from './foreign/gate.js';
import { FoundationDeclarations } from './foundation.declarations.js';
import { FoundationEdges, FoundationFront } from './foundation.edges.js';
import { FoundationOffers } from './foundation.offers.js';
import { firstProcesses } from './foundation.startup.js';
import { Log } from './logging/log.js';
import { ThrottledLog } from './logging/throttled.log.js';
import { sayFormed, sayLeft, writeChronicle } from './node.chronicle.js';
import { NODE, type NodeParts } from './node.parts.js';
import { witnessBegin } from './node.witness.js';
import type { ProcessSpec } from './processes/declaration/process.specification.js';
import { declarationsOf } from './processes/supervision/process.declarations.js';
import { Telemetry } from './telemetry/telemetry.js';
import { within } from './time/timeout.js';

const RETRY_MS = 500;
/** The same after an error that waiting alone does not mend. */
const REFUSED_RETRY_MS = 5000;
/** For a step that takes a round trip when all is well. */
const SHORT_MS = 2000;
/** What each step gets when the time is over. */
const MIN_STEP_MS = 250;
/** When an application has had the time to call enableShutdownHooks(). */
const HOOKS_MS = 5000;

/** Joins and leaves. */
@Injectable()
export class FoundationLifecycle implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #logger = new Log();
  readonly #repeated = new ThrottledLog();
  readonly #bornAt = performance.now();
  readonly #parts: NodeParts;
  readonly #declarations: FoundationDeclarations;
  readonly #offers: FoundationOffers;
  readonly #terminated: TerminatedNodes;
  /** Resolves with true when the node begins to work, and with false when it ends before. */
  readonly #begun: Promise<boolean>;
  #release!: (hasBegun: boolean) => void;
  #hasBegun = false;
  #hasJoined = false;
  #drained: Promise<void> | undefined;
  #finished: Promise<void> | undefined;
  #finishTimer: NodeJS.Timeout | undefined;
  #leavesAt = 0;
  #hooksTimer: NodeJS.Timeout | undefined;
  readonly #endChronicle: () => void;
  /** Ends the pauses between attempts: nothing keeps a process alive that has closed its application. */
  readonly #ending = new AbortController();

  constructor(
    @Inject(NODE) parts: NodeParts,
    discovery: DiscoveryService,
    front: FoundationFront,
    edges: FoundationEdges,
    bus: Telemetry,
  ) {
    this.#parts = parts;
    const ends = [writeChronicle(bus, parts.membership.self.name), parts.recorder?.attach()];
    this.#endChronicle = () => ends.forEach((end) => end?.());
    this.#begun = new Promise((resolve) => (this.#release = resolve));
    this.#declarations = new FoundationDeclarations(parts, discovery, front.modules);
    const register = (): Promise<void> => this.#declarations.register();
    this.#offers = new FoundationOffers(register, parts.membership.self.name, this.#ending.signal);
    const { view, runner, backend } = parts;
    this.#terminated = new TerminatedNodes(view, runner, backend.directory);
    view.initialising();
    front.prepare = () => this.prepare();
    edges.begin = () => this.begin();
    edges.drain = () => this.drain();
  }

  /** Before the first hook of the application; a bad declaration fails its start, with nothing left open. */
  async prepare(): Promise<void> {
    try {
      this.#declarations.look();
    } catch (error) {
      await this.leave();
      throw error;
    }
  }

  /**
   * Joins. Errors that waiting cannot mend (wrong password, a name that is taken, a bad declaration) fail the start of
   * the application, with nothing left open; an unreachable Redis does not: it is tried again in the background.
   */
  async onApplicationBootstrap(): Promise<void> {
    let specs: ProcessSpec[] = [];
    this.#parts.view.initialised();
    this.#parts.supervisor.hold();
    try {
      // Started already when they had to say where Redis is. One that was only suggested is not waited for: it takes
      // some time to load, and no caller counts on it.
      const looking = this.#parts.runner.start();
      if (!this.#parts.config.detected) await looking;
      specs = await this.#declarations.processes();
      await this.#declarations.subscribe(this.#begun);
      await this.#parts.settings.listen();
      await this.#parts.channelRuntime.open();
      await this.#parts.client.open();
      await this.#joinOnce(specs);
    } catch (error) {
      const isAway = isA(error, RedisUnavailableError);
      // Closed while it started, which ended what waited for Redis: no trouble of Redis, and nothing to try again.
      if (this.#ending.signal.aborted && (isAway || isA(error, NotReadyError))) return;
      if (!isAway) {
        await this.leave();
        throw error;
      }
      const { name: node } = this.#parts.membership.self;
      this.#logger.warn('Could not join the cluster; retrying in the background', { node, error: error.message });
      unattended('joining later', this.#joinLater(specs));
    }
    this.#warnWithoutShutdownHooks();
  }

  // -- join ----------------------------------------------------------------------------------------------------

  async #joinOnce(specs: readonly ProcessSpec[]): Promise<void> {
    try {
      await this.#parts.backend.open();
      await this.#parts.protocol.join([...new Set(specs.map(({ type }) => type))], declarationsOf(specs));
      await this.#parts.table.sync();
      await this.#parts.services.open();
      await this.#parts.settings.open();
      await this.#parts.supervisor.declare(specs);
      await this.#parts.supervisor.start();
    } catch (error) {
      throw asRedisError(this.#parts.backend.endpoint, 'joining', error);
    }
    this.#terminated.open();
    this.#parts.runner.announce({
      ...(this.#parts.backend.address === undefined ? {} : { address: this.#parts.backend.address }),
      ...(this.#parts.backend.url === undefined ? {} : { redis: this.#parts.backend.url }),
    });
    sayFormed(this.#parts, Math.round(performance.now() - this.#bornAt));
    this.#hasJoined = true;
    if (this.#hasBegun) await this.#offers.offer();
  }

  /**
   * Begins to work, when every bootstrap hook of the application has run: what processes, handlers and services need is
   * there. Until then a node is a member that sends, calls, and runs only what its own application has started by name.
   */
  async begin(): Promise<void> {
    await this.#begin();
    witnessBegin(this.#parts);
  }

  async #begin(): Promise<void> {
    if (this.#drained !== undefined) return;
    this.#hasBegun = true;
    this.#release(true);
    this.#parts.supervisor.begin();
    if (!this.#hasJoined) return;
    try {
      await this.#offers.offer();
    } catch (error) {
      await this.leave();
      throw error;
    }
    await firstProcesses(this.#parts, this.#ending.signal);
  }

  /**
   * Tries until it works or the application ends, whatever the error: a password is corrected, a right is granted, the
   * other node of the name leaves. What waiting alone does not mend is said in the log and in health, and tried less
   * often.
   */
  async #joinLater(specs: readonly ProcessSpec[]): Promise<void> {
    let pause = RETRY_MS;
    while (this.#drained === undefined) {
      await this.#pause(pause);
      if (this.#drained !== undefined) return;
      try {
        return await this.#joinOnce(specs);
      } catch (error) {
        this.#parts.protocol.joinFailed(describe(error));
        const passes = isA(error, RedisUnavailableError);
        pause = passes ? RETRY_MS : REFUSED_RETRY_MS;
        const details = { node: this.#parts.membership.self.name, error: describe(error) };
        // The application runs already; it must hear of this in its log and its health, not by a crash.
        if (!passes && !this.#ending.signal.aborted) {
          this.#repeated.error('Failed to join the cluster; retrying', details, details.error);
        }
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.#ending.signal }).catch(() => undefined);
  }

  // -- leave ----------------------------------------------------------------------------------------------------

  /** Drains and leaves at once, for a node whose start has failed. */
  async leave(): Promise<void> {
    await this.finish();
  }

  /**
   * Gives back what this node owns and offers, in order. It stays a member that sends and calls: requests under way and
   * the hooks of other providers come after this, and need what they needed before.
   */
  drain(): Promise<void> {
    clearTimeout(this.#hooksTimer);
    this.#ending.abort();
    this.#release(false);
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  /** Leaves; called when no request is in progress and all other hooks have run. */
  finish(): Promise<void> {
    this.#finished ??= this.#finish();
    return this.#finished;
  }

  onApplicationShutdown(): Promise<void> {
    return this.finish();
  }

  async #drain(): Promise<void> {
    const { view, protocol, runner, channelRuntime, offers, supervisor, config } = this.#parts;
    const { stopTimeout } = config.processes;
    this.#leavesAt = performance.now();
    view.isLeaving = true;
    const until = this.#leavesAt + config.shutdownTimeout;
    const step = (name: string, atMost: number, work: () => Promise<void>): Promise<void> =>
      this.#step(name, Math.max(MIN_STEP_MS, Math.min(atMost, until - performance.now())), work);
    await step('tell the others that this node drains', SHORT_MS, () => protocol.drain());
    this.#terminated.close();
    await step('stop looking for nodes', SHORT_MS, () => runner.stop());
    await step('stop reading durable channels', stopTimeout, () => channelRuntime.stopReading());
    await step('take back the services of this node', SHORT_MS, () => offers.withdraw());
    await step('wait for calls to the services of this node', stopTimeout, () => offers.settled());
    // INVARIANT (I1): instances stop, then their leases are released, then the node leaves.
    await step('stop processes and release their leases', Infinity, () => supervisor.drain());
    // After the processes, which may wait for answers of this node.
    await step('wait for message handlers', stopTimeout, () => channelRuntime.drainHandlers());
    // A request that never ends, or a hook that throws, must not keep this node in the cluster.
    const leave = (): void => unattended('leaving the cluster', this.finish());
    this.#finishTimer = setTimeout(leave, Math.max(SHORT_MS, until - performance.now())).unref();
  }

  async #finish(): Promise<void> {
    const { protocol, channelRuntime, client, backend, recorder, journalWriter } = this.#parts;
    await this.drain();
    clearTimeout(this.#finishTimer);
    await this.#step('send the last messages', SHORT_MS, async () => {
      await channelRuntime.flush();
      await client.close();
      await backend.transport.flush?.();
    });
    await this.#step('leave the cluster', SHORT_MS, () => protocol.leave());
    recorder?.left();
    await this.#step('write the journal', SHORT_MS, async () => journalWriter?.close(SHORT_MS / 2));
    await this.#step('close the connections', 2 * SHORT_MS, () => backend.close());
    this.#endChronicle();
    if (this.#hasJoined) sayLeft(this.#parts, Math.round(performance.now() - this.#leavesAt));
  }

  async #step(name: string, timeoutMs: number, work: () => Promise<void>): Promise<void> {
    try {
      await within(timeoutMs, work(), `not done in ${timeoutMs} ms`);
    } catch (error) {
      this.#logger.warn('Shutdown step failed; continuing', { step: name, error: describe(error) });
    }
  }

  /** Later, because a standalone application can call enableShutdownHooks() only after its bootstrap. */
  #warnWithoutShutdownHooks(): void {
    if (this.#parts.config.backend === 'local') return;
    this.#hooksTimer = setTimeout(() => {
      if (this.#drained !== undefined || process.listenerCount('SIGTERM') > 0) return;
      this.#logger.warn(
        'Nothing listens to SIGTERM, so this node cannot drain: its processes move only when their leases expire. ' +
          'Call app.enableShutdownHooks()',
      );
    }, HOOKS_MS).unref();
  }
}
