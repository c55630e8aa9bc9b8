/**
 * The two ends of the life of an application: after the last bootstrap hook, and before the first destroy hook.
 * Underneath: Nest calls the hooks of modules by their distance from the root module; this one is nearer than all.
 */
import { Injectable, Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';

/**
 * Calls `begin` when everything else of the application has been bootstrapped, and `drain` before anything of it is
 * destroyed.
 *
 * Nest bootstraps a global module first and destroys it last, when the database that `onProcessStop` may need is closed
 * already. This provider lives in a module of its own, which is not global and moves itself to the edge.
 */
@Injectable()
export class FoundationEdges implements OnApplicationBootstrap, OnModuleDestroy {
  begin: () => Promise<void> = () => Promise.resolve();
  drain: () => Promise<void> = () => Promise.resolve();

  constructor(modules: ModulesContainer) {
    for (const module of modules.values()) {
      if (module.providers.has(FoundationEdges)) module.distance = -1;
    }
  }

  onApplicationBootstrap(): Promise<void> {
    return this.begin();
  }

  onModuleDestroy(): Promise<void> {
    return this.drain();
  }
}

/** Imported by `FoundationModule`. */
@Module({ providers: [FoundationEdges], exports: [FoundationEdges] })
export class FoundationEdgesModule {}
