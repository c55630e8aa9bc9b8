/**
 * Finds the classes and the shared objects of the application, with a way to make a fresh instance in its own module.
 * Called by the explorers; underneath Nest's `DiscoveryService` and `ModuleRef.create`.
 */
import { Scope, type Type } from '@nestjs/common';
import { type DiscoveryService, MetadataScanner, ModuleRef } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { DeclarationError } from './errors/config.errors.js';
import { read } from './errors/describe.js';
import { Log } from './logging/log.js';
import { isObject } from './wire/decode.js';

const log = new Log();

/** A class that is a provider or a controller of the application. */
export interface FoundClass {
  type: Type<object>;
  /** False for request-scoped classes and for those that depend on one. */
  isStatic: boolean;
  /** True for a class of which Nest makes an instance for each consumer. */
  isTransient: boolean;
  /** A new instance with its dependencies injected. */
  readonly create: () => Promise<object>;
}

/** An object that Nest made or was given for injection; the application shares it. */
export interface FoundInstance {
  type: Type<object>;
  instance: object;
}

/** What the application has. */
export interface Found {
  classes: readonly FoundClass[];
  instances: readonly FoundInstance[];
}

/** A method with a mark on it. */
export interface MarkedMethod<T> {
  method: string;
  metadata: T;
}

/**
 * A decorator that leaves its mark on a method, where {@link markedMethods} finds it.
 *
 * @param made what the mark is, given the class and the method for its errors.
 * @throws DeclarationError while the class is read, where nobody would find the mark: on a static method, on what is no
 *   method, on a name that is a symbol, and beside another mark of the kind, which it would replace.
 */
export function markMethod(mark: symbol, decorator: string, made: (place: string) => unknown): MethodDecorator {
  return (target: object, key: unknown, descriptor?: PropertyDescriptor) => {
    const owner = typeof target === 'function' ? target : target.constructor;
    const standard = isObject(key);
    const place = standard ? String(key['name']) : `${owner.name}.${String(key)}`;
    const refuse = (problem: string, advice: string): never => {
      throw new DeclarationError(`${decorator} of ${place}`, problem, advice);
    };
    if (standard)
      return refuse('it is compiled as ECMAScript has it', 'Compile with experimentalDecorators, as Nest does.');
    if (owner === target) refuse('the method is static', 'Put it on a method of an instance.');
    const method: unknown = descriptor?.value;
    if (typeof method !== 'function') {
      return refuse('it is no method', 'Put it on a method, neither a property nor an accessor.');
    }
    if (typeof key === 'symbol') refuse('a method whose name is a symbol cannot be found', 'Give it a name.');
    if (Reflect.hasOwnMetadata(mark, method)) {
      refuse('the method has another one, and one counts', 'Write a method for each; they may call a common one.');
    }
    Reflect.defineMetadata(mark, made(place), method);
    Reflect.defineMetadata(MARKED, [...marksOf(target), { mark, decorator, method: key }], target);
  };
}

/** Metadata key of a prototype: the marks that were left on its methods. */
const MARKED = Symbol.for('foundation:marked');

interface Marked {
  mark: symbol;
  decorator: string;
  method: string;
}

function marksOf(prototype: object): readonly Marked[] {
  return (Reflect.getOwnMetadata(MARKED, prototype) as readonly Marked[] | undefined) ?? [];
}

/** What was said of an override is not said again for each module that has the class. */
const told = new WeakSet<object>();

/**
 * Looks for marks that nobody would find: on a method in whose place another decorator has put a method of its own, and
 * on one that a class overrides without a mark. The latter is how a class of Nest takes a handler away, so it is named
 * in the log only; a `@Callable` is inherited.
 *
 * @throws DeclarationError
 */
function checkMarks(type: Type<object>): void {
  const { prototype } = type as { prototype?: unknown };
  for (let each = prototype; typeof each === 'object' && each !== null; each = Object.getPrototypeOf(each) as unknown) {
    for (const { mark, decorator, method } of marksOf(each)) {
      const has = (found: unknown): boolean => typeof found === 'function' && Reflect.hasMetadata(mark, found);
      const there: unknown = Object.getOwnPropertyDescriptor(each, method)?.value;
      if (!has(there)) {
        throw new DeclarationError(
          `${decorator} of ${each.constructor.name}.${method}`,
          'another method stands in the place of this one, put there by a decorator above it or by a spy',
          `Put ${decorator} above that decorator, or spy on the instance.`,
        );
      }
      const called = read(prototype, method);
      if (decorator === '@Callable' || has(called) || typeof called !== 'function' || told.has(called)) continue;
      told.add(called);
      const names = { class: type.name, method, parent: each.constructor.name, decorator };
      log.warn(
        '{class}.{method} overrides a method of {parent} with {decorator} and has none, so that it has no effect',
        names,
      );
    }
  }
}

/**
 * A decorator that leaves its mark on a class.
 *
 * @param made what the mark is, given the class for its errors.
 * @throws DeclarationError while the class is read: on what is no class, and beside another mark of the kind.
 */
export function markClass(mark: symbol, decorator: string, made: (place: string) => unknown): ClassDecorator {
  return (target: object) => {
    const refuse = (name: string, problem: string, advice: string): never => {
      throw new DeclarationError(`${decorator} of ${name}`, problem, advice);
    };
    if (typeof target !== 'function')
      return refuse(target.constructor.name, 'it is on no class', 'Put it on the class.');
    if (Reflect.hasOwnMetadata(mark, target)) {
      refuse(target.name, 'the class has another one of the kind, and one counts', 'Remove one of them.');
    }
    Reflect.defineMetadata(mark, made(target.name), target);
  };
}

/** Looks once, for all explorers; called when Nest has made every instance. @throws DeclarationError */
export function findProviders(discovery: DiscoveryService): Found {
  const wrappers = [...discovery.getProviders(), ...discovery.getControllers()];
  const found = { classes: classesOf(wrappers), instances: instancesOf(wrappers) };
  for (const type of new Set([...found.classes, ...found.instances].map((each) => each.type))) checkMarks(type);
  return found;
}

/**
 * The classes of the application, each once.
 *
 * Traps that are known here and nowhere else: for `useFactory` Nest's `metatype` is the factory, not a class; for
 * `useValue` there is none; an alias repeats another provider; an instance may have no prototype, or be a proxy.
 */
function classesOf(wrappers: readonly InstanceWrapper[]): FoundClass[] {
  const found = new Map<Type<object>, FoundClass>();
  for (const wrapper of wrappers) {
    const type = classOf(wrapper);
    if (type === undefined || found.has(type)) continue;
    const { isTransient } = wrapper;
    found.set(type, {
      type,
      isStatic: isStatic(wrapper),
      isTransient,
      create: () => moduleRefOf(wrapper).create(type),
    });
  }
  return [...found.values()];
}

/**
 * The shared objects of the application, each once: of classes, of factories and values, and one for each token or
 * module that has its own.
 */
function instancesOf(wrappers: readonly InstanceWrapper[]): FoundInstance[] {
  const found = new Map<object, FoundInstance>();
  for (const wrapper of wrappers) {
    // What Nest keeps of a transient class is an object without its dependencies.
    if (!isStatic(wrapper) || wrapper.isTransient) continue;
    const instance = wrapper.instance as unknown;
    const type = typeof instance === 'object' && instance !== null ? typeOf(instance) : undefined;
    if (type !== undefined) found.set(instance as object, { type, instance: instance as object });
  }
  return [...found.values()];
}

/**
 * Refuses what is declared on a class of which no object is shared, because it could never be found.
 *
 * @throws DeclarationError
 */
export function requireShared({ classes }: Found, mark: string, marked: (type: Type<object>) => boolean): void {
  for (const { type, isStatic, isTransient } of classes) {
    if ((isStatic && !isTransient) || !marked(type)) continue;
    throw new DeclarationError(
      `${mark} of the class ${type.name}`,
      isTransient
        ? 'each consumer has an instance of its own, because the class is transient'
        : 'the class is request-scoped, or depends on something that is, so no instance is there without a request',
      'Move it to a class of the default scope.',
    );
  }
}

/** The methods of a class, inherited ones included, that carry `key`. */
export function markedMethods<T>(
  type: Type<object>,
  key: symbol | string,
  scanner = new MetadataScanner(),
): MarkedMethod<T>[] {
  const prototype = type.prototype as object | undefined;
  if (prototype === undefined) return [];
  return scanner.getAllMethodNames(prototype).flatMap((method) => {
    const target = (prototype as Record<string, unknown>)[method];
    const metadata = typeof target === 'function' ? (Reflect.getMetadata(key, target) as T | undefined) : undefined;
    return metadata === undefined ? [] : [{ method, metadata }];
  });
}

function isStatic(wrapper: InstanceWrapper): boolean {
  return wrapper.scope !== Scope.REQUEST && wrapper.isDependencyTreeStatic();
}

/** Of an object that may be anything, so looking at it may throw. */
function typeOf(instance: object): Type<object> | undefined {
  try {
    const type = (Object.getPrototypeOf(instance) as { constructor?: unknown } | null)?.constructor;
    return typeof type === 'function' ? (type as Type<object>) : undefined;
  } catch {
    return undefined;
  }
}

function classOf(wrapper: InstanceWrapper): Type<object> | undefined {
  const { metatype } = wrapper;
  const isClass = typeof metatype === 'function' && !wrapper.isNotMetatype && !wrapper.isAlias;
  return isClass && metatype.prototype !== undefined ? (metatype as Type<object>) : undefined;
}

function moduleRefOf(wrapper: InstanceWrapper): ModuleRef {
  const ref = wrapper.host?.getProviderByKey(ModuleRef).instance;
  if (ref === undefined) throw new Error(`Nest has no module for ${String(wrapper.name)}.`);
  return ref;
}
