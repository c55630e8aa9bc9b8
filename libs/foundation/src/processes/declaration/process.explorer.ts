/**
 * Reads the decorated classes of the application into records. Starts nothing.
 * Called by the lifecycle.
 */
import type { Type } from '@nestjs/common';
import { marksOf } from '../../calls/call.marks.js';
import type { ResolvedProcessDefaults } from '../../config/config.js';
import type { Found } from '../../decorated.js';
import { ProcessDeclarationError } from '../../errors/process.errors.js';
import { metadataOf } from './process.decorators.js';
import { type ProcessSpec, specOf } from './process.specification.js';

/** A class this application can run. */
export interface KnownClass {
  type: Type<object>;
  /** Makes a fresh instance. */
  create: () => Promise<object>;
}

/** What the application can run. */
export interface ExploredProcesses {
  /** What its decorators say should run. */
  specs: ProcessSpec[];
  /**
   * Every class by name, decorated or not, because `startSingleton` takes any provider. Names that two undecorated
   * classes share are left out: nodes name classes to one another, and could mean different ones.
   */
  classes: Map<string, KnownClass>;
}

/**
 * @throws ProcessDeclarationError for a process that is request-scoped or not provided as a class, and for two classes
 * of one process name; `FoundationConfigError` and `ArgumentError` for their options.
 */
export function exploreProcesses(
  { classes: found, instances }: Found,
  defaults: ResolvedProcessDefaults,
): ExploredProcesses {
  const classes = new Map<string, KnownClass>();
  const specs = new Map<string, ProcessSpec>();
  for (const { type, isStatic, create } of found) {
    const metadata = metadataOf(type);
    if (metadata === undefined) continue;
    if (!isStatic) {
      throw new ProcessDeclarationError(
        `class ${type.name}`,
        'it is request-scoped, or depends on something that is, and a process belongs to no request',
        'Make it and its dependencies singletons of the module (the default scope).',
      );
    }
    const { kind, count } = metadata;
    const { args = [], ...options } = metadata.options;
    const subject = `@${kind[0]!.toUpperCase()}${kind.slice(1)} ${type.name}`;
    const marks = marksOf(type.prototype, subject);
    const spec = specOf({ subject, type: type.name, declared: true, kind, count, options, args, marks }, defaults);
    const other = specs.get(spec.name);
    if (other !== undefined) {
      throw new ProcessDeclarationError(
        `"${spec.name}"`,
        `the classes ${other.type} and ${type.name} both have this name`,
        'Give one of them another name: @Singleton({ name: … }).',
      );
    }
    if (classes.has(type.name)) {
      throw new ProcessDeclarationError(
        `class ${type.name}`,
        'another process has a class of the same name, and nodes name classes to one another',
        'Rename one of the classes.',
      );
    }
    specs.set(spec.name, spec);
    classes.set(type.name, { type, create });
  }
  for (const { type } of instances) {
    if (metadataOf(type) === undefined || classes.get(type.name)?.type === type) continue;
    throw new ProcessDeclarationError(
      `class ${type.name}`,
      'a factory or a value provides it, and Foundation makes an instance of its own for each start',
      `Provide the class itself: providers: [${type.name}].`,
    );
  }
  const others = found.filter(({ type, isStatic }) => isStatic && !classes.has(type.name));
  for (const { type, create } of others) {
    if (others.filter((other) => other.type.name === type.name).length === 1) classes.set(type.name, { type, create });
  }
  return { specs: [...specs.values()], classes };
}
