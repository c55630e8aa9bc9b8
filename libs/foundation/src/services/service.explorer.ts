/**
 * Reads `@Service` classes into records. Registers nothing.
 * Called by the lifecycle.
 */
import type { Type } from '@nestjs/common';
import { CALLABLE_METADATA } from '../calls/callable.decorator.js';
import { type Found, requireShared } from '../decorated.js';
import { requireNothingAround } from '../foreign.decorators.js';
import { SERVICE_METADATA, type ServiceOptions } from './service.decorators.js';

/** A service that wants to be registered. */
export interface DeclaredService extends Required<ServiceOptions> {
  target: object;
}

/**
 * The services of every shared object, except of the classes that `isProcess`: their instances come and go.
 *
 * @throws DeclarationError for a request-scoped or transient class, and for a callable method with a guard, a pipe, an
 * interceptor or a filter around it.
 */
export function exploreServices(found: Found, isProcess: (type: Type) => boolean): DeclaredService[] {
  const isMarked = (type: Type<object>): boolean => !isProcess(type) && Reflect.hasOwnMetadata(SERVICE_METADATA, type);
  requireShared(found, '@Service', isMarked);
  for (const { type } of found.classes) {
    if (isMarked(type)) requireNothingAround(type, CALLABLE_METADATA, '@Callable');
  }
  return found.instances
    .filter(({ type }) => !isProcess(type))
    .flatMap(({ type, instance }) => servicesOf(instance, type));
}

/** What one object offers: nothing, or one service. The mark of a parent class is not inherited. */
export function servicesOf(target: object, type = target.constructor as Type<object>): DeclaredService[] {
  const options = Reflect.getOwnMetadata(SERVICE_METADATA, type) as ServiceOptions | undefined;
  if (options === undefined) return [];
  const { name = type.name, capabilities = [], metadata = {} } = options;
  return [{ name, capabilities, metadata, target }];
}
