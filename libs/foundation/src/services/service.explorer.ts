/**
 * Reads `@Service` classes into records. Registers nothing.
 * Called by the lifecycle.
 */
import type { Type } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import { findClasses } from '../decorated.js';
import { SERVICE_METADATA, type ServiceOptions } from './service.decorators.js';

/** A service that wants to be registered. */
export interface DeclaredService extends Required<ServiceOptions> {
  target: object;
}

/** The services of every shared provider, except of the classes that `isProcess`: their instances come and go. */
export function exploreServices(discovery: DiscoveryService, isProcess: (type: Type) => boolean): DeclaredService[] {
  return findClasses(discovery)
    .filter(({ type }) => !isProcess(type))
    .flatMap(({ shared }) => (shared === undefined ? [] : servicesOf(shared)));
}

/** What one object offers: nothing, or one service. The mark of a parent class is not inherited. */
export function servicesOf(target: object): DeclaredService[] {
  const options = Reflect.getOwnMetadata(SERVICE_METADATA, target.constructor) as ServiceOptions | undefined;
  if (options === undefined) return [];
  const { name = target.constructor.name, capabilities = [], metadata = {} } = options;
  return [{ name, capabilities, metadata, target }];
}
