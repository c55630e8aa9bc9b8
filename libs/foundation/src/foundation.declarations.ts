/**
 * What the decorators of the application declare: found once, subscribed and registered all or none.
 * Used by the lifecycle; underneath the explorers of processes, channels and services.
 */
import type { Type } from '@nestjs/common';
import { type DiscoveryService, MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { CALLABLE_METADATA, dropsGuards } from './calls/callable.decorator.js';
import { HandlerGoneError } from './calls/handler.gone.js';
import { remote } from './calls/remote.proxy.js';
import { CHANNEL_METADATA } from './channels/channel.decorators.js';
import { type DeclaredHandler, exploreChannelNames, exploreChannels, handlersOf } from './channels/channel.explorer.js';
import type { Subscription } from './channels/channel.js';
import { CRON_METADATA } from './cron/cron.decorator.js';
import { type ExploredJobs, exploreJobs, JOB_PREFIX } from './cron/cron.explorer.js';
import { JobMemory } from './cron/job.memory.js';
import { StartedSchedules } from './cron/started.schedules.js';
import { findProviders, type Found, markedMethods } from './decorated.js';
import { ProcessDeclarationError } from './errors/process.errors.js';
import { requireStartedOnly } from './foreign.decorators.js';
import { awaitable, unattended } from './foreign/gate.js';
import { IdleInstances, type Replacement, requireNoHooks } from './idle.instances.js';
import { LateModules } from './late.modules.js';
import { Log } from './logging/log.js';
import type { NodeParts } from './node.parts.js';
import { minifiedNames } from './processes/declaration/minified.names.js';
import { metadataOf } from './processes/declaration/process.decorators.js';
import { type ExploredProcesses, exploreProcesses } from './processes/declaration/process.explorer.js';
import type { ProcessSpec } from './processes/declaration/process.specification.js';
import { classNameOf } from './processes/declaration/process.target.js';
import type { Instance } from './processes/instance/instance.js';
import { SERVICE_METADATA } from './services/service.decorators.js';
import { type DeclaredService, exploreServices, servicesOf } from './services/service.explorer.js';
import type { ServiceHandle } from './services/service.js';
import { clockOf } from './time/clock.js';

/** The marks of the methods that calls and messages reach. */
const REACHED = [CALLABLE_METADATA, CHANNEL_METADATA];
/** Enough to see that it is so. */
const SHOWN_CLASSES = 5;

/** See the file header. */
export class FoundationDeclarations {
  readonly #logger = new Log();
  #found: Found = { classes: [], instances: [] };
  /** Looked for before the node joins, so that a declaration without effect fails the start. */
  #services: readonly DeclaredService[] = [];

  readonly #idle: IdleInstances;
  readonly #schedules: StartedSchedules;

  constructor(
    private readonly parts: Pick<
      NodeParts,
      | 'config'
      | 'backend'
      | 'table'
      | 'telemetry'
      | 'supervisor'
      | 'view'
      | 'replaced'
      | 'channels'
      | 'channelRuntime'
      | 'mesh'
      | 'calls'
      | 'enhancers'
    >,
    private readonly discovery: DiscoveryService,
    private readonly modules: ModulesContainer,
  ) {
    this.#idle = new IdleInstances(modules, isProcess);
    this.#schedules = new StartedSchedules(parts.telemetry, discovery, clockOf(parts.backend));
  }

  /**
   * Looks at what the application has, and takes the instances of process classes away that Nest has made. Again for
   * what a hook of it has loaded since.
   *
   * @throws ProcessDeclarationError
   */
  look(): ExploredProcesses {
    const { classes, instances } = findProviders(this.discovery);
    const replacements = this.#idle.replacements().filter((each) => each.isOverride || !isMadeOf(each));
    // What stands in the place of a process is there for calls: it hears no channel, and is no service.
    const silent = new Set(replacements.map(({ instance }) => instance()));
    this.#found = { classes, instances: instances.filter(({ instance }) => !silent.has(instance)) };
    const processes = exploreProcesses(this.#found, this.parts.config.processes);
    for (const { type, instance } of replacements) {
      if (!this.parts.replaced.replace(type, instance)) continue;
      this.#logger.warn(
        'Class {class} is not started here: another provider stands in its place, and calls of this node to process ' +
          '"{process}" go to that',
        { class: type.name, process: classNameOf(type) },
      );
    }
    this.#idle.replace((type) => remote(this.parts.calls, { name: classNameOf(type), type }));
    return processes;
  }

  /**
   * The declared processes. The supervisor knows their classes from here on, and what is to happen around an instance.
   */
  async processes(): Promise<ProcessSpec[]> {
    const { supervisor, enhancers } = this.parts;
    const processes = this.look();
    for (const type of typesOf(this.#found)) enhancers?.check(type, REACHED);
    await this.#schedules.check(this.#found.classes.map(({ type }) => type).filter(isProcess));
    const jobs = await this.#jobs(processes.specs);
    supervisor.know(new Map([...processes.classes, ...jobs.classes]));
    this.#sayRenamed(processes);
    this.#sayUnmarked();
    const late = new LateModules(this.modules, isDeclared);
    this.parts.view.listen({ beat: () => late.look() });
    // A process hears its channels, and is a service, only while it runs here.
    supervisor.onInstance(async (target, instance) => {
      const begin = (work: () => unknown): unknown => instance.call(work);
      const handlers = handlersOf(target, enhancers, begin).map((declared) => handledBy(instance, target, declared));
      const subscriptions = await this.#subscribe(handlers);
      return async () => void (await Promise.all(subscriptions.map((subscription) => subscription.unsubscribe())));
    });
    supervisor.onInstance(async (target) => {
      const handles = await this.#register(servicesOf(target));
      return async () => void (await Promise.all(handles.map((handle) => handle.deregister())));
    });
    supervisor.onInstance((target, instance) => {
      const disarm = this.#schedules.arm(target, instance);
      return Promise.resolve(() => Promise.resolve(disarm()));
    });
    return [...processes.specs, ...jobs.specs];
  }

  /** The cluster-wide cron jobs: each is a process that this node declares and can run. */
  async #jobs(specs: readonly ProcessSpec[]): Promise<ExploredJobs> {
    const { config, backend, table, telemetry, view } = this.parts;
    const memory = new JobMemory(backend.ticks, clockOf(backend));
    const jobs = await exploreJobs(this.#found, isProcess, config.processes, {
      ticks: memory,
      telemetry,
      argsOf: (name) => table.get(name)?.args,
      isTaken: (name) => specs.some((spec) => spec.name === name),
      wallClock: clockOf(backend).wall,
      clock: clockOf(backend),
    });
    memory.remember([...jobs.classes.keys()].map((name) => name.slice(JOB_PREFIX.length)));
    view.listen({ beat: () => memory.beat(), dataLoss: () => memory.lost() });
    return jobs;
  }

  /** A decorator counts for the class that it stands on: a class that extends it may be started by a call. */
  #sayUnmarked(): void {
    for (const { type, parent } of this.#idle.unmarked()) {
      this.#logger.warn(
        'Class {class} extends process class {parent} and has no decorator of its own, so that it is not started: give ' +
          'it one, such as @Singleton()',
        { class: type.name, parent: parent.name },
      );
    }
  }

  /** Processes without a name are called after their classes, and nodes name the classes of all to one another. */
  #sayRenamed({ specs, classes: known }: ExploredProcesses): void {
    const classes = this.parts.config.backend === 'local' ? [] : minifiedNames(specs, known);
    if (classes.length === 0) return;
    this.#logger.warn(
      'Classes of processes have names as a minifier gives them, so the nodes of another build do not run these processes: ' +
        'tell the bundler to keep the names of classes (docs/guides/bundlers.md of nestjs-foundation)',
      { classes: classes.slice(0, SHOWN_CLASSES).join(', ') },
    );
  }

  /**
   * Subscribes the handlers of all shared objects, which wait for `begun` before they take their first message; sees
   * that also those of processes name channels that exist.
   */
  async subscribe(begun: Promise<boolean>): Promise<void> {
    const handlers = exploreChannels(this.#found, isProcess, this.parts.enhancers).map((declared) =>
      heldBack(declared, begun),
    );
    this.#services = exploreServices(this.#found, isProcess);
    for (const channel of exploreChannelNames(this.#found)) this.parts.channelRuntime.requireDeclared(channel);
    await this.#subscribe(handlers);
  }

  /** Registers the services of all shared objects. */
  async register(): Promise<void> {
    await this.#register(this.#services);
  }

  #subscribe(handlers: readonly DeclaredHandler[]): Promise<Subscription[]> {
    return allOrNone(
      handlers.map(({ channel, options, handler, label }) =>
        this.parts.channels.subscribe(channel, Object.defineProperty(handler, 'name', { value: label }), options),
      ),
      (subscription) => subscription.unsubscribe(),
    );
  }

  #register(services: readonly DeclaredService[]): Promise<ServiceHandle[]> {
    return allOrNone(
      services.map(({ name, target, capabilities, metadata }) =>
        this.parts.mesh.registerService(name, target, capabilities, metadata),
      ),
      (handle) => handle.deregister(),
    );
  }
}

/**
 * Refuses process classes on which something acts that Foundation does not start; asked before Nest has made any
 * instance, and so before anything acts.
 *
 * @throws ProcessDeclarationError
 */
export function checkProcessClasses(modules: ModulesContainer): void {
  for (const type of new IdleInstances(modules, isProcess).classes()) {
    requireStartedOnly(type, REACHED);
    requireNoHooks(type);
    requireGuards(type);
  }
}

/** Between a class and its parents a guard is lost, not only a call. */
function requireGuards(type: Type<object>): void {
  const method = new MetadataScanner()
    .getAllMethodNames(type.prototype as object)
    .find((each) => dropsGuards(type.prototype, each));
  if (method === undefined) return;
  throw new ProcessDeclarationError(
    `class ${type.name}`,
    `its method ${method} overrides one that has guards, pipes, interceptors or filters besides @Callable(), and has none`,
    'Mark it again: @Callable(), with what is to stand around it.',
  );
}

/** When one fails, those that succeeded are withdrawn; what the first one failed with is thrown. */
async function allOrNone<T>(attempts: readonly Promise<T>[], undo: (done: T) => Promise<void>): Promise<T[]> {
  const outcomes = await Promise.allSettled(attempts);
  const done = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed === undefined) return done;
  await Promise.allSettled(done.map(undo));
  throw failed.reason;
}

/**
 * INVARIANT (I1): a handler of a process is user code of its instance. So none begins for an instance that ends or
 * whose lease is not held, and the end of the instance waits for those under way as it does for calls; otherwise they
 * would go on beside the next owner. The runner of the handler has given it a context of its own already.
 */
function handledBy(instance: Instance, target: object, declared: DeclaredHandler): DeclaredHandler {
  return {
    ...declared,
    handler: (message, meta) => {
      if (instance.target !== target) throw new HandlerGoneError(`process "${instance.spec.name}"`);
      return instance.call(() => awaitable(declared.handler(message, meta)));
    },
  };
}

/** What comes before waits in the queue of the handler, with its bounds; it is not handled if the start fails. */
function heldBack(declared: DeclaredHandler, begun: Promise<boolean>): DeclaredHandler {
  const { channel, handler } = declared;
  let hasBegun = false;
  unattended(
    'beginning to handle messages',
    begun.then((answer) => void (hasBegun = answer)),
  );
  return {
    ...declared,
    // Without a promise of its own once it has begun: one for each message would cost more than the call.
    handler: (message, meta) => {
      if (hasBegun) return handler(message, meta);
      return begun.then((answer) => {
        if (!answer) throw new HandlerGoneError(`the handler of "${channel}"`);
        return handler(message, meta);
      });
    },
  };
}

function typesOf({ classes, instances }: Found): Set<Type<object>> {
  return new Set([...classes, ...instances].map(({ type }) => type));
}

/** A factory or a value of the very class is no process and no mock of one: the explorer refuses it. */
function isMadeOf({ type, instance }: Replacement): boolean {
  const made = instance();
  return typeof made === 'object' && made !== null && Object.getPrototypeOf(made) === type.prototype;
}

function isDeclared(type: Type<object>): boolean {
  return (
    isProcess(type) ||
    Reflect.hasOwnMetadata(SERVICE_METADATA, type) ||
    [CHANNEL_METADATA, CRON_METADATA].some((mark) => markedMethods(type, mark).length > 0)
  );
}

function isProcess(type: Type<unknown>): boolean {
  return metadataOf(type) !== undefined;
}
