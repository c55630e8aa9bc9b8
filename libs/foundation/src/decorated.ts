/**
 * Finds the classes of the application once, with a way to make a fresh instance of each in its own module.
 * Called by the explorers; underneath Nest's `DiscoveryService` and `ModuleRef.create`.
 */
import { Scope, type Type } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, ModuleRef } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';

/** A class that is a provider or a controller of the application. */
export interface FoundClass {
  type: Type<object>;
  /** The instance Nest made for injection; `undefined` for request-scoped classes. */
  shared: object | undefined;
  /** False for request-scoped classes and for those that depend on one. */
  isStatic: boolean;
  /** A new instance with its dependencies injected. */
  readonly create: () => Promise<object>;
}

/** A method with a mark on it. */
export interface MarkedMethod<T> {
  method: string;
  metadata: T;
}

/**
 * The classes of the application, each once.
 *
 * Traps that are known here and nowhere else: for `useFactory` Nest's `metatype` is the factory, not a class; for
 * `useValue` there is none; an alias repeats another provider; an instance may have no prototype.
 */
export function findClasses(discovery: DiscoveryService): FoundClass[] {
  const found = new Map<Type<object>, FoundClass>();
  for (const wrapper of [...discovery.getProviders(), ...discovery.getControllers()]) {
    const type = classOf(wrapper);
    if (type === undefined || found.has(type)) continue;
    const isStatic = wrapper.scope !== Scope.REQUEST && wrapper.isDependencyTreeStatic();
    found.set(type, {
      type,
      shared: isStatic ? (wrapper.instance as object | undefined) : undefined,
      isStatic,
      create: () => moduleRefOf(wrapper).create(type),
    });
  }
  return [...found.values()];
}

/** The methods of a class, inherited ones included, that carry `key`. */
export function markedMethods<T>(type: Type<object>, key: symbol, scanner = new MetadataScanner()): MarkedMethod<T>[] {
  const prototype = type.prototype as object | undefined;
  if (prototype === undefined) return [];
  return scanner.getAllMethodNames(prototype).flatMap((method) => {
    const target = (prototype as Record<string, unknown>)[method];
    const metadata = typeof target === 'function' ? (Reflect.getMetadata(key, target) as T | undefined) : undefined;
    return metadata === undefined ? [] : [{ method, metadata }];
  });
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
