/**
 * Under which tokens the calls to processes are injected. Tokens and classes only, no state of an application.
 * Filled by the decorators; the module makes the providers when Nest scans it.
 */
import type { Type } from '@nestjs/common';

/** Metadata key; `Symbol.for`, so that two copies of the package know one class by one token. */
const TOKEN = Symbol.for('foundation:process-token');

const classes = new Set<Type<unknown>>();
const late = new Map<symbol, () => Type<unknown>>();

/** Lets the calls to a process be injected wherever the module is. */
export function noteInjectable(type: Type<unknown>): void {
  classes.add(type);
}

/** The token of the class itself, whatever another class is called. */
export function tokenOf(type: Type<unknown>): symbol {
  const known = Reflect.getOwnMetadata(TOKEN, type) as symbol | undefined;
  const token = known ?? Symbol(`calls to ${type.name}`);
  if (known === undefined) Reflect.defineMetadata(TOKEN, token, type);
  noteInjectable(type);
  return token;
}

/** A token for a class that is not there yet: it stands for that of the class once all files are loaded. */
export function lateTokenOf(type: () => Type<unknown>): symbol {
  const token = Symbol('calls to a process');
  late.set(token, type);
  return token;
}

/** The classes whose calls may be injected. */
export function injectableProcesses(): ReadonlySet<Type<unknown>> {
  return classes;
}

/** What stands for a class that was not there when it was named. */
export function lateProcesses(): ReadonlyMap<symbol, () => Type<unknown>> {
  return late;
}
