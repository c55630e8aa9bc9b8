/**
 * Reads the decorated classes of the application into records. Starts nothing.
 * Called by the lifecycle.
 */
import type { Type } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import type { ResolvedProcessDefaults } from '../config/options.js';
import { findClasses } from '../decorated.js';
import { ProcessDeclarationError } from '../errors.js';
import { PROCESS_METADATA, type ProcessMetadata } from './process.decorators.js';
import { specOf, type ProcessSpec } from './spec.js';

/** Makes a fresh instance of a class. */
export type Creator = () => Promise<object>;

/** What the application can run. */
export interface ExploredProcesses {
  /** What its decorators say should run. */
  specs: ProcessSpec[];
  /** Every class by name, decorated or not, because `startSingleton` takes any provider. */
  creators: Map<string, Creator>;
}

/** The mark a decorator left on the class itself; not an inherited one. */
export function metadataOf(type: Type<unknown>): ProcessMetadata | undefined {
  return Reflect.getOwnMetadata(PROCESS_METADATA, type) as ProcessMetadata | undefined;
}

/**
 * @throws ProcessDeclarationError for a request-scoped process and for two classes of one process name,
 * `FoundationConfigError` and `ArgumentError` for their options.
 */
export function exploreProcesses(discovery: DiscoveryService, defaults: ResolvedProcessDefaults): ExploredProcesses {
  const creators = new Map<string, Creator>();
  const specs = new Map<string, ProcessSpec>();
  for (const { type, isStatic, create } of findClasses(discovery)) {
    const metadata = metadataOf(type);
    if (metadata === undefined) {
      if (isStatic && !creators.has(type.name)) creators.set(type.name, create);
      continue;
    }
    if (!isStatic) {
      throw new ProcessDeclarationError(
        `class ${type.name}`,
        'it is request-scoped, or depends on something that is, and a process belongs to no request',
        'Make it and its dependencies singletons of the module (the default scope).',
      );
    }
    const { args = [], ...options } = metadata.options;
    const { kind, count } = metadata;
    const subject = `@${kind[0]!.toUpperCase()}${kind.slice(1)} ${type.name}`;
    const spec = specOf({ subject, type: type.name, declared: true, kind, count, options, args }, defaults);
    const other = specs.get(spec.name);
    if (other !== undefined) {
      throw new ProcessDeclarationError(
        `"${spec.name}"`,
        `the classes ${other.type} and ${type.name} both have this name`,
        'Give one of them another name: @Singleton({ name: … }).',
      );
    }
    specs.set(spec.name, spec);
    creators.set(type.name, create);
  }
  return { specs: [...specs.values()], creators };
}
