/**
 * Leaves the cluster before the modules of the application are destroyed.
 * Underneath: Nest's hook `onModuleDestroy` of a module that is destroyed first.
 */
import { Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';

/**
 * Calls `drain` before anything else of the application is destroyed.
 *
 * Nest destroys a global module last, when the database that `onProcessStop` may need is closed already. This provider
 * lives in a module of its own, which is not global and moves itself to the front.
 */
@Injectable()
export class FoundationDrain implements OnModuleDestroy {
  drain: () => Promise<void> = () => Promise.resolve();

  constructor(modules: ModulesContainer) {
    for (const module of modules.values()) {
      // Nest destroys modules in the order of their distance from the root module.
      if (module.providers.has(FoundationDrain)) module.distance = -1;
    }
  }

  onModuleDestroy(): Promise<void> {
    return this.drain();
  }
}

/** Imported by `FoundationModule`, which is global and would come last. */
@Module({ providers: [FoundationDrain], exports: [FoundationDrain] })
export class FoundationDrainModule {}
