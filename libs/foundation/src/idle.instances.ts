/**
 * The instances that Nest makes of process classes, which are never started: nobody gets one, and no hook of Nest runs
 * on one. Called by the declarations; underneath what Nest keeps of each provider.
 */
import { Scope, type Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { ProcessDeclarationError } from './errors/process.errors.js';

/** What Nest calls on what it has made, and when the same happens to a process. */
const HOOKS: Readonly<Record<string, 'onProcessStart' | 'onProcessStop'>> = {
  onModuleInit: 'onProcessStart',
  onApplicationBootstrap: 'onProcessStart',
  onModuleDestroy: 'onProcessStop',
  beforeApplicationShutdown: 'onProcessStop',
  onApplicationShutdown: 'onProcessStop',
};
/** Metadata of `@Controller`, which Nest does not export. */
const CONTROLLER = '__controller__';

/** What is provided in place of a process class. */
export interface Replacement {
  type: Type<object>;
  instance: () => unknown;
  /** A test has put it there. */
  isOverride: boolean;
}

/**
 * Why it is done like this. What is injected in place of the class is typed as the class, whose methods need not be
 * asynchronous; an object of calls there would answer `total() + 1` with `[object Promise]1`. So whoever injects the
 * class is told, at start, and what `app.get(Feed)` finds are calls all the same, because the instance that Nest has
 * made is the worse answer: it would count, and listen, for itself.
 */
export class IdleInstances {
  /** What stands for an instance already, and of which class it was. */
  readonly #replaced = new Map<InstanceWrapper, Type<object>>();

  constructor(
    private readonly modules: ModulesContainer,
    private readonly isProcess: (type: Type<object>) => boolean,
  ) {}

  /** The process classes of which Nest makes instances; known before it has made any. */
  *classes(): Iterable<Type<object>> {
    for (const wrapper of wrappersOf(this.modules)) {
      const type = this.#classOf(wrapper);
      if (type !== undefined) yield type;
    }
  }

  /**
   * Lets nobody have one: who injects it is refused, and for who looks it up there is what `standInOf` makes.
   *
   * Before the first hook of the application, so that no hook runs on one, and none that looks for marked methods finds
   * one.
   *
   * @throws ProcessDeclarationError
   */
  replace(standInOf: (type: Type<object>) => object): void {
    const all = [...wrappersOf(this.modules)];
    for (const wrapper of all) this.#requireNotInjected(wrapper);
    for (const wrapper of all) {
      const type = this.#classOf(wrapper);
      if (type === undefined || this.#replaced.has(wrapper)) continue;
      requireNoHooks(type, wrapper.instance as unknown);
      this.#replaced.set(wrapper, type);
      // As the builder of Nest's test modules does: an instance that is there already, so that no other one is made.
      wrapper.mergeWith({ provide: wrapper.token, useValue: standInOf(type) });
      // What is bound to the class is found by it.
      wrapper.metatype = type;
    }
    for (const wrapper of all) {
      const aliased = wrapper.isAlias ? this.#aliased(wrapper) : undefined;
      if (aliased === undefined) continue;
      this.#replaced.set(wrapper, this.#replaced.get(aliased)!);
      wrapper.mergeWith({ provide: wrapper.token, useValue: aliased.instance as unknown });
    }
  }

  /**
   * The classes that extend a process class and have no decorator of their own, so that they are no processes; not
   * those that are provided in its place.
   */
  unmarked(): { type: Type<object>; parent: Type<object> }[] {
    const found = new Map<Type<object>, Type<object>>();
    for (const { metatype, token, isAlias, isNotMetatype } of wrappersOf(this.modules)) {
      if (isAlias || isNotMetatype || metatype === null || this.isProcess(metatype as Type<object>)) continue;
      if (typeof token === 'function' && this.isProcess(token as Type<object>)) continue;
      let parent = Object.getPrototypeOf(metatype) as unknown;
      while (typeof parent === 'function' && !this.isProcess(parent as Type<object>)) {
        parent = Object.getPrototypeOf(parent) as unknown;
      }
      if (typeof parent === 'function') found.set(metatype as Type<object>, parent as Type<object>);
    }
    return [...found].map(([type, parent]) => ({ type, parent }));
  }

  /**
   * What is provided in place of process classes, under the class as the token: by a test that overrides it, or by a
   * module. Nest keeps what it makes as the instance of the provider.
   */
  replacements(): Replacement[] {
    const found: Replacement[] = [];
    const own = new Set([...this.#replaced.values(), ...this.classes()]);
    for (const wrapper of wrappersOf(this.modules)) {
      const token: unknown = wrapper.token;
      if (typeof token !== 'function' || !this.isProcess(token as Type<object>)) continue;
      const type = token as Type<object>;
      if (own.has(type) || wrapper.metatype === type) continue;
      found.push({
        type,
        instance: () => wrapper.instance as unknown,
        // Only the builder of Nest's test modules leaves it like this.
        isOverride: wrapper.inject === null,
      });
    }
    return found;
  }

  /** The process class that Nest makes an instance of for this provider. */
  #classOf(wrapper: InstanceWrapper): Type<object> | undefined {
    const { metatype } = wrapper;
    const isClass = typeof metatype === 'function' && !wrapper.isNotMetatype && !wrapper.isAlias;
    return isClass && this.isProcess(metatype as Type<object>) ? (metatype as Type<object>) : undefined;
  }

  /** The provider of a process class that an alias stands for, however many are between. */
  #aliased(alias: InstanceWrapper): InstanceWrapper | undefined {
    let wrapper: InstanceWrapper | undefined = alias;
    for (let steps = 0; wrapper?.isAlias === true && steps < ALIASES; steps++) [wrapper] = dependenciesOf(wrapper);
    return wrapper !== undefined && this.#replaced.has(wrapper) ? wrapper : undefined;
  }

  #requireNotInjected(consumer: InstanceWrapper): void {
    if (consumer.isAlias || this.#replaced.has(consumer)) return;
    const parameters = dependenciesOf(consumer).map((wrapper, index) => ({
      wrapper,
      place: consumer.isFactory
        ? `inject[${index}] of the factory of ${nameOf(consumer)}`
        : `parameter ${index + 1} of the constructor of ${nameOf(consumer)}`,
    }));
    const properties = (consumer.getPropertiesMetadata() ?? []).map(({ key, wrapper }) => ({
      wrapper,
      place: `property "${String(key)}" of ${nameOf(consumer)}`,
    }));
    for (const { wrapper, place } of [...parameters, ...properties, ...this.#requested(consumer)]) {
      const type = this.#processBehind(wrapper);
      if (wrapper === undefined || type === undefined) continue;
      const token = wrapper.token === type ? 'it' : `it as ${nameOf(wrapper)}`;
      throw new ProcessDeclarationError(
        `class ${type.name}`,
        `${place} injects ${token}, and would get an instance of this node alone, which is never started`,
        consumer.isFactory
          ? `Inject calls to the one that runs: inject: [getProcessToken(${type.name})].`
          : `Inject calls to the one that runs: @InjectSingleton(${type.name}) with the type Remote<${type.name}>.`,
      );
    }
  }

  /** Nest 11 does not look for the dependencies of what is request-scoped before the first request. */
  #requested(consumer: InstanceWrapper): { wrapper: InstanceWrapper | undefined; place: string }[] {
    const { metatype, scope, inject } = consumer;
    const isLookedFor = consumer.getCtorMetadata() !== undefined || consumer.getPropertiesMetadata() !== undefined;
    if (scope !== Scope.REQUEST || isLookedFor || typeof metatype !== 'function') return [];
    const all = [...wrappersOf(this.modules)];
    const behind = (token: unknown): InstanceWrapper | undefined => all.find((each) => each.token === tokenIn(token));
    if (consumer.isFactory) {
      return (inject ?? []).map((token, index) => ({
        wrapper: behind(token),
        place: `inject[${index}] of the factory of ${nameOf(consumer)}`,
      }));
    }
    return tokensOf(metatype).map(({ token, place }) => ({
      wrapper: behind(token),
      place: `${place} of ${nameOf(consumer)}`,
    }));
  }

  /** The process class behind what is injected: of its instance, of an alias of it, or of what replaces it. */
  #processBehind(injected: InstanceWrapper | undefined): Type<object> | undefined {
    let wrapper = injected;
    for (let steps = 0; wrapper !== undefined && steps < ALIASES; steps++) {
      const token: unknown = wrapper.token;
      const isOfProcess = typeof token === 'function' && this.isProcess(token as Type<object>);
      const type = this.#replaced.get(wrapper) ?? this.#classOf(wrapper) ?? (isOfProcess ? token : undefined);
      if (type !== undefined) return type as Type<object>;
      if (!wrapper.isAlias) return undefined;
      [wrapper] = dependenciesOf(wrapper);
    }
    return undefined;
  }
}

/** Aliases of aliases; those that stand for each other never end. */
const ALIASES = 16;

/**
 * Holds a process class to what Foundation carries out on the instance that it starts; asked before Nest makes any.
 *
 * @param instance the one that Nest has made, where there is one: a hook may be a property of it.
 * @throws ProcessDeclarationError for a hook of Nest, and for a controller.
 */
export function requireNoHooks(type: Type<object>, instance: unknown = type.prototype): void {
  for (const [hook, instead] of Object.entries(HOOKS)) {
    if (!hasMethod(instance, hook)) continue;
    throw new ProcessDeclarationError(
      `class ${type.name}`,
      `it has ${hook}, which Nest would call on every node, on an instance that is never started`,
      `Do it in ${instead}, which is called on the instance that runs; or move it to a class that is no process.`,
    );
  }
  if (!Reflect.hasMetadata(CONTROLLER, type)) return;
  throw new ProcessDeclarationError(
    `class ${type.name}`,
    'it is a controller, whose routes act on every node, on an instance that is never started',
    `Let another class have the routes, and call the process: @InjectSingleton(${type.name}).`,
  );
}

/** Without running a getter. */
function hasMethod(instance: unknown, name: string): boolean {
  for (let each = instance; typeof each === 'object' && each !== null; each = Object.getPrototypeOf(each) as unknown) {
    const descriptor = Object.getOwnPropertyDescriptor(each, name);
    if (descriptor !== undefined) return typeof descriptor.value === 'function';
  }
  return false;
}

function* wrappersOf(modules: ModulesContainer): Iterable<InstanceWrapper> {
  for (const { providers, controllers, injectables, middlewares } of modules.values()) {
    for (const collection of [providers, controllers, injectables, middlewares]) yield* collection.values();
  }
}

/** What the decorators of a class say that it is given; as of Nest 11, which does not export the keys. */
function tokensOf(type: object): { token: unknown; place: string }[] {
  const read = <T>(key: string): T[] => (Reflect.getMetadata(key, type) ?? []) as T[];
  const parameters = [...read<unknown>('design:paramtypes')];
  for (const { index, param } of read<{ index: number; param: unknown }>('self:paramtypes')) parameters[index] = param;
  const properties = read<{ key: string; type: unknown }>('self:properties_metadata');
  return [
    ...parameters.map((token, index) => ({ token, place: `parameter ${index + 1} of the constructor` })),
    ...properties.map(({ key, type: token }) => ({ token, place: `property "${key}"` })),
  ];
}

/** Out of `forwardRef(() => Feed)` and `{ token: Feed, optional: true }`. */
function tokenIn(given: unknown): unknown {
  if (typeof given !== 'object' || given === null) return given;
  const { forwardRef, token } = given as { forwardRef?: () => unknown; token?: unknown };
  return typeof forwardRef === 'function' ? forwardRef() : (token ?? given);
}

/** Of the constructor or the factory; where one is optional and not there, its place is empty. */
function dependenciesOf(wrapper: InstanceWrapper): (InstanceWrapper | undefined)[] {
  return wrapper.getCtorMetadata() ?? [];
}

function nameOf({ name, token }: InstanceWrapper): string {
  return String(name ?? (token as unknown));
}
