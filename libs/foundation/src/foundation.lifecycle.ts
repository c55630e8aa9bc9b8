/**
 * Every step of joining and of leaving the cluster, in order; the only classes with Nest lifecycle hooks.
 * Bootstraps before the modules of the application, and drains before any of them is destroyed.
 */
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy, type Type } from '@nestjs/common';
import { DiscoveryService, ModulesContainer } from '@nestjs/core';
import type { Subscription } from './channels/channel.js';
import { exploreChannelNames, exploreChannels, handlersOf, type DeclaredHandler } from './channels/channel.explorer.js';
import { Channels } from './channels/channels.js';
import { HandlerGoneError } from './channels/receiving/handler.gone.js';
import { Membership } from './cluster/membership.js';
import { TerminatedNodes } from './cluster/topologies/terminated.nodes.js';
import type { Topologies } from './cluster/topologies/topologies.js';
import type { FoundationConfig } from './config/options.js';
import { FoundationError, NotReadyError, RedisUnavailableError, describe } from './errors/foundation.error.js';
import { isA } from './errors/describe.js';
import { unattended } from './foreign/gate.js';
import { declarationsOf } from './processes/supervision/declarations.js';
import type { CallClient } from './calls/call.client.js';
import type { Instance } from './processes/supervision/instance.js';
import { exploreProcesses, metadataOf } from './processes/process.explorer.js';
import type { ProcessSpec } from './processes/process.specification.js';
import { Supervisor } from './processes/supervision/supervisor.js';
import type { ProcessTable } from './processes/process.table.js';
import { exploreServices, servicesOf, type DeclaredService } from './services/service.explorer.js';
import type { ServiceHandle } from './services/service.js';
import type { ServiceMesh } from './services/service.mesh.js';
import type { ServiceRegistry } from './services/service.registry.js';
import { Log } from './logging/log.js';
import { ThrottledLog } from './logging/throttled.log.js';
import type { Backend } from './backend/backend.js';
import { isOfRedis, redisError } from './errors/refusal.js';
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

/**
 * Calls `drain` before anything else of the application is destroyed.
 *
 * Nest destroys a global module last, when the database that `onProcessStop` may need is closed already. This provider
 * lives in a module of its own, which is not global and moves itself to the front.
 */
@Injectable()
export class FoundationDrain implements OnModuleDestroy {
  drain: () => Promise<void> = () => Promise.resolve();

  constructor(modules: ModulesContainer) {
    for (const module of modules.values()) {
      // Nest destroys modules in the order of their distance from the root module.
      if (module.providers.has(FoundationDrain)) module.distance = -1;
    }
  }

  onModuleDestroy(): Promise<void> {
    return this.drain();
  }
}

/** Joins and leaves. */
@Injectable()
export class FoundationLifecycle implements OnApplicationBootstrap {
  readonly #logger = new Log();
  readonly #repeated = new ThrottledLog();
  readonly #bornAt = performance.now();
  readonly #secondOpinion: TerminatedNodes;
  #left: Promise<void> | undefined;
  #hooksTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly config: FoundationConfig,
    private readonly backend: Backend,
    private readonly discovery: DiscoveryService,
    private readonly topologies: Topologies,
    private readonly membership: Membership,
    private readonly table: ProcessTable,
    private readonly supervisor: Supervisor,
    private readonly channels: Channels,
    private readonly calls: CallClient,
    private readonly registry: ServiceRegistry,
    private readonly services: ServiceMesh,
    drain: FoundationDrain,
  ) {
    drain.drain = () => this.leave();
    this.#secondOpinion = new TerminatedNodes(membership, topologies, backend.directory);
  }

  /**
   * Joins. Errors that waiting cannot mend (wrong password, a name that is taken, a bad declaration) fail the start of
   * the application, with nothing left open; an unreachable Redis does not: it is tried again in the background.
   */
  async onApplicationBootstrap(): Promise<void> {
    let specs: ProcessSpec[] = [];
    try {
      // Started already when they had to say where Redis is. One that was only suggested is not waited for: it takes some
      // time to load, and nobody counts on it.
      const looking = this.topologies.start();
      if (!this.config.detected) await looking;
      specs = this.#explore();
      const handlers = exploreChannels(this.discovery, isProcess);
      for (const channel of exploreChannelNames(this.discovery)) this.channels.requireDeclared(channel);
      await this.#subscribe(handlers);
      await this.channels.open();
      await this.calls.open();
      await this.#joinOnce(specs);
    } catch (error) {
      if (!isA(error, RedisUnavailableError)) {
        await this.leave();
        throw error;
      }
      this.#logger.warn('The cluster is joined later', { node: this.membership.self.name, error: error.message });
      unattended('joining later', this.#joinLater(specs));
    }
    this.#warnWithoutShutdownHooks();
  }

  #explore(): ProcessSpec[] {
    const processes = exploreProcesses(this.discovery, this.config.processes);
    this.supervisor.know(processes.classes);
    // A process hears its channels, and is a service, only while it runs here.
    this.supervisor.onInstance(async (target, instance) => {
      const handlers = handlersOf(target).map((declared) => handledBy(instance, target, declared));
      const subscriptions = await this.#subscribe(handlers);
      return async () => void (await Promise.all(subscriptions.map((subscription) => subscription.unsubscribe())));
    });
    this.supervisor.onInstance(async (target) => {
      const handles = await this.#register(servicesOf(target));
      return async () => void (await Promise.all(handles.map((handle) => handle.deregister())));
    });
    return processes.specs;
  }

  /** All or none: when one cannot be subscribed, those that could are taken back. */
  async #subscribe(handlers: readonly DeclaredHandler[]): Promise<Subscription[]> {
    const outcomes = await Promise.allSettled(
      handlers.map(({ channel, options, handler }) => this.channels.subscribe(channel, handler, options)),
    );
    const subscriptions = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed === undefined) return subscriptions;
    await Promise.all(subscriptions.map((subscription) => subscription.unsubscribe()));
    throw failed.reason;
  }

  /** All or none, as above. */
  async #register(services: readonly DeclaredService[]): Promise<ServiceHandle[]> {
    const outcomes = await Promise.allSettled(
      services.map(({ name, target, capabilities, metadata }) =>
        this.services.registerService(name, target, capabilities, metadata),
      ),
    );
    const handles = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed === undefined) return handles;
    await Promise.allSettled(handles.map((handle) => handle.deregister()));
    throw failed.reason;
  }

  // -- join -------------------------------------------------------------------------------------------------------------

  async #joinOnce(specs: readonly ProcessSpec[]): Promise<void> {
    try {
      await this.backend.open();
      await this.membership.join([...new Set(specs.map(({ type }) => type))], declarationsOf(specs));
      await this.table.sync();
      await this.registry.open();
      await this.supervisor.declare(specs);
      await this.supervisor.start();
    } catch (error) {
      throw this.#asOurs(error);
    }
    this.#secondOpinion.open();
    this.topologies.announce({
      ...(this.backend.address === undefined ? {} : { address: this.backend.address }),
      ...(this.backend.url === undefined ? {} : { redis: this.backend.url }),
    });
    this.#logger.log('Foundation cluster formed', {
      clusterId: this.config.appName,
      node: this.membership.self.name,
      nodeCount: this.membership.members().length,
      formationTimeMs: Math.round(performance.now() - this.#bornAt),
      strategy: this.config.strategy,
      endpoint: this.backend.endpoint,
    });
    const services = exploreServices(this.discovery, isProcess);
    if (!(await this.#offer(services))) unattended('registering services later', this.#offerLater(services));
  }

  #asOurs(error: unknown): unknown {
    if (isA(error, FoundationError)) return error;
    return isOfRedis(error) ? redisError(this.backend.endpoint, 'joining', error) : error;
  }

  /** False when Redis was away just then; the node is a member all the same. */
  async #offer(services: readonly DeclaredService[]): Promise<boolean> {
    try {
      await this.#register(services);
      return true;
    } catch (error) {
      if (!(isA(error, RedisUnavailableError) || isA(error, NotReadyError))) throw error;
      this.#repeated.warn('Services are registered later', { node: this.membership.self.name, error: error.message });
      return false;
    }
  }

  async #offerLater(services: readonly DeclaredService[]): Promise<void> {
    while (this.#left === undefined) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      try {
        if (this.#left !== undefined || (await this.#offer(services))) return;
      } catch (error) {
        // The application runs already, as above; what Redis refuses today it may allow tomorrow, after a change of its ACL.
        const details = { node: this.membership.self.name, error: describe(error) };
        this.#repeated.error('Services cannot be registered; it is tried again', details);
      }
    }
  }

  /**
   * Tries until it works or the application ends, whatever the error: a password is corrected, a right is granted, the
   * other node of the name leaves. What waiting alone does not mend is said in the log and in health, and tried less often.
   */
  async #joinLater(specs: readonly ProcessSpec[]): Promise<void> {
    let pause = RETRY_MS;
    while (this.#left === undefined) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      if (this.#left !== undefined) return;
      try {
        return await this.#joinOnce(specs);
      } catch (error) {
        this.membership.joinFailed(describe(error));
        const passes = isA(error, RedisUnavailableError);
        pause = passes ? RETRY_MS : REFUSED_RETRY_MS;
        const details = { node: this.membership.self.name, error: describe(error) };
        // The application runs already; it must hear of this in its log and its health, not by a crash.
        if (!passes && this.#isRunning()) {
          this.#repeated.error('The cluster cannot be joined; trying again', details, details.error);
        }
      }
    }
  }

  /** A method, because TypeScript thinks that it cannot change during an await. */
  #isRunning(): boolean {
    return this.#left === undefined;
  }

  // -- leave ------------------------------------------------------------------------------------------------------------

  /** Leaves in order; each step has its time, and one that fails or takes too long does not keep the next from running. */
  leave(): Promise<void> {
    clearTimeout(this.#hooksTimer);
    this.#left ??= this.#leave();
    return this.#left;
  }

  async #leave(): Promise<void> {
    const until = performance.now() + this.config.shutdownTimeout;
    const step = (name: string, atMost: number, work: () => Promise<void>): Promise<void> =>
      this.#step(name, Math.max(MIN_STEP_MS, Math.min(atMost, until - performance.now())), work);
    await step('tell the others that this node drains', SHORT_MS, () => this.membership.drain());
    this.#secondOpinion.close();
    await step('stop looking for nodes', SHORT_MS, () => this.topologies.stop());
    await step('stop reading durable channels', this.config.processes.stopTimeout, () => this.channels.close());
    await step('take back the services of this node', SHORT_MS, () => this.services.close());
    // INVARIANT (I1): instances stop, then their leases are released, then the node leaves.
    await step('stop processes and release their leases', Infinity, () => this.supervisor.drain());
    // After the processes, which may wait for answers of this node; before the flush, which sends what handlers said last.
    await step('wait for message handlers', this.config.processes.stopTimeout, () => this.channels.end());
    await step('send the last messages', SHORT_MS, async () => {
      await this.channels.flush();
      await this.calls.flush();
      await this.backend.transport.flush?.();
    });
    await step('leave the cluster', SHORT_MS, () => this.membership.leave());
    await step('close the connections', 2 * SHORT_MS, () => this.backend.close());
  }

  async #step(name: string, timeoutMs: number, work: () => Promise<void>): Promise<void> {
    const began = performance.now();
    try {
      await within(timeoutMs, work(), `not done in ${timeoutMs} ms`);
      this.#logger.debug('Leaving', { step: name, ms: Math.round(performance.now() - began) });
    } catch (error) {
      this.#logger.warn('A step of leaving was given up; the next one follows', { step: name, error: describe(error) });
    }
  }

  /** Later, because a standalone application can call enableShutdownHooks() only after its bootstrap. */
  #warnWithoutShutdownHooks(): void {
    if (this.config.backend === 'local') return;
    this.#hooksTimer = setTimeout(() => {
      if (this.#left !== undefined || process.listenerCount('SIGTERM') > 0) return;
      this.#logger.warn(
        'Nothing listens to SIGTERM, so this node cannot drain: its processes move only when their leases expire. ' +
          'Call app.enableShutdownHooks()',
      );
    }, HOOKS_MS).unref();
  }
}

/**
 * INVARIANT (I1): a handler of a process is user code of its instance. So none begins for an instance that ends or whose lease
 * is not held, and the end of the instance waits for those under way as it does for calls; otherwise they would go on beside
 * the next owner.
 */
function handledBy(instance: Instance, target: object, declared: DeclaredHandler): DeclaredHandler {
  return {
    ...declared,
    handler: (message, meta) => {
      if (instance.target !== target) throw new HandlerGoneError(instance.spec.name);
      return instance.call(() => declared.handler(message, meta));
    },
  };
}

function isProcess(type: Type<unknown>): boolean {
  return metadataOf(type) !== undefined;
}
