/**
 * Pure: what decorators of Nest have left on a class and its methods, by the keys of @nestjs/common 11 and 12, which do
 * not export them; and the module that a class is of.
 */
import type { ExecutionContext, Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { AROUND_BY_KEY } from '../foreign.decorators.js';

/** A method of an object. */
export type Method = (...args: unknown[]) => unknown;

/** Why something that a decorator asks for cannot be applied. */
export interface Fault {
  subject: string;
  why: string;
  advice: string;
}

/** Keys of what stands around methods. */
export const KEYS = Object.keys(AROUND_BY_KEY) as (keyof typeof AROUND_BY_KEY)[];
/** Where decorators of parameters leave theirs: on the class, by method. */
const PARAMETERS = '__routeArguments__';
const CUSTOM = '__customRouteArgs__';

/** A parameter with a decorator of `createParamDecorator`. */
export interface CustomParameter {
  index: number;
  factory: (data: unknown, context: ExecutionContext) => unknown;
  data: unknown;
  pipes: unknown[];
}

/** What stands on the class and on the method. */
export function boundTo(key: string, type: Type<object>, callback: Method): unknown[] {
  const read = (target: object): unknown[] => (Reflect.getMetadata(key, target) ?? []) as unknown[];
  return [...read(type), ...read(callback)];
}

function parametersOf(type: Type<object>, method: string): [key: string, parameter: unknown][] {
  return Object.entries((Reflect.getMetadata(PARAMETERS, type, method) ?? {}) as object);
}

/** The parameters with a decorator of `createParamDecorator()`. */
export function customsOf(type: Type<object>, method: string): CustomParameter[] {
  return parametersOf(type, method)
    .filter(([key]) => key.includes(CUSTOM))
    .map(([, parameter]) => parameter as CustomParameter);
}

/** True when a parameter has a decorator that takes its value out of a request, such as `@Body()`. */
export function asksRequest(type: Type<object>, method: string): boolean {
  return parametersOf(type, method).some(([key]) => !key.includes(CUSTOM));
}

/**
 * The key of the module of an object: that of the very object where Nest has made it; one that Foundation has started
 * is of the first module with its class.
 */
export function moduleOf(modules: ModulesContainer, type: Type<object>, target?: object): string {
  let [byClass, byToken]: (string | undefined)[] = [];
  for (const [key, module] of modules) {
    const wrappers = [...module.providers.values(), ...module.controllers.values()];
    if (target !== undefined && wrappers.some(({ instance }) => instance === target)) return key;
    if (module.hasProvider(type) || module.controllers.has(type)) byToken ??= key;
    else if (wrappers.some(({ metatype }) => metatype === type)) byClass ??= key;
  }
  return byToken ?? byClass ?? '';
}

/** An object may be of no class, which somebody offers as a service. */
export function classOf(target: object): Type<object> {
  const type: unknown = target.constructor;
  return typeof type === 'function' ? (type as Type<object>) : Object;
}
