/**
 * Reads `@Service` classes into records. Registers nothing.
 * Called by the lifecycle.
 */
import type { Type } from '@nestjs/common';
import { type Found, requireShared } from '../decorated.js';
import { Log } from '../logging/log.js';
import { SERVICE_METADATA, type ServiceOptions } from './service.decorators.js';

const log = new Log();

/** A service that wants to be registered. */
export interface DeclaredService extends Required<ServiceOptions> {
  target: object;
}

/**
 * The services of every shared object, except of the classes that `isProcess`: their instances come and go.
 *
 * @throws DeclarationError for a request-scoped or transient class.
 */
export function exploreServices(found: Found, isProcess: (type: Type) => boolean): DeclaredService[] {
  const isMarked = (type: Type<object>): boolean => !isProcess(type) && Reflect.hasOwnMetadata(SERVICE_METADATA, type);
  requireShared(found, '@Service', isMarked);
  for (const { type } of found.classes) {
    if (isProcess(type) || isMarked(type) || !Reflect.hasMetadata(SERVICE_METADATA, type)) continue;
    log.warn('Class {class} extends a @Service() and has none of its own, so that it is not registered', {
      class: type.name,
    });
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
