/**
 * Marks a class as a process of the cluster. Sets metadata and nothing else; the explorer reads it.
 */
import { Injectable } from '@nestjs/common';
import type { ProcessDefaults } from '../config/options.js';
import type { PlacementName } from './placement.js';

/** Metadata key; `Symbol.for`, so that two copies of the package see each other's marks. */
export const PROCESS_METADATA = Symbol.for('foundation:process');

/** Options of a process, in a decorator or a start call. What is left out comes from the module's `processes`. */
export interface ProcessOptions extends ProcessDefaults {
  /** Default: the name of the class. Name it yourself when the code is minified. */
  name?: string;
  /** Default `spread`. */
  placement?: PlacementName;
}

/** Options of {@link Singleton}. */
export interface SingletonOptions extends ProcessOptions {
  /** Given to each instance as `ctx.args`; must survive JSON. */
  args?: unknown[];
}

/** What the decorator leaves on the class. */
export interface ProcessMetadata {
  kind: 'singleton';
  options: SingletonOptions;
}

/**
 * Exactly one instance of this class runs in the cluster; it moves when its node leaves or dies.
 *
 * Underneath: a Redlock lease on `…:lease:<name>`, a new instance from `ModuleRef.create` for each start.
 *
 * The class must also be listed as a provider, in every application of the cluster that may run it. Gotchas: Nest makes
 * an instance of its own for injection, which is never started, so keep the constructor free of effects; and the class
 * must not be request-scoped, nor depend on something that is.
 */
export function Singleton(options: SingletonOptions = {}): ClassDecorator {
  const metadata: ProcessMetadata = { kind: 'singleton', options };
  return (target) => {
    Injectable()(target);
    Reflect.defineMetadata(PROCESS_METADATA, metadata, target);
  };
}
