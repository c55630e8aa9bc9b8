/**
 * Modules that the application loads after its start, with Nest's `LazyModuleLoader`: nothing of them is started, heard
 * or offered, and the log says so. Called by the declarations with each heartbeat; underneath the modules of Nest.
 */
import type { Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { Log } from './logging/log.js';

/** See the file header. */
export class LateModules {
  readonly #log = new Log();
  readonly #known: Set<string>;

  /** @param isDeclared true for a class that declares something for the cluster. */
  constructor(
    private readonly modules: ModulesContainer,
    private readonly isDeclared: (type: Type<object>) => boolean,
  ) {
    this.#known = new Set(modules.keys());
  }

  /** Looks for those that have come since the last look; costs nothing while none has. */
  look(): void {
    if (this.modules.size === this.#known.size) return;
    for (const [key, { name: module, providers, controllers }] of this.modules) {
      if (this.#known.has(key)) continue;
      this.#known.add(key);
      for (const { metatype } of [...providers.values(), ...controllers.values()]) {
        if (typeof metatype !== 'function' || !this.isDeclared(metatype as Type<object>)) continue;
        this.#log.warn(
          'Class {class} of module {module} has no effect in the cluster: the module was loaded when the application ' +
            'had started. Import it in a module that is there at the start',
          { class: metatype.name, module },
        );
      }
    }
  }
}
