/**
 * The edges of the life of an application: before its first hook, after the last bootstrap hook, and before the first
 * destroy hook. Underneath: Nest calls the hooks of modules by their distance from the root module; one of these is
 * farther away than all, the other nearer.
 */
import {
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
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
    place(modules, FoundationEdges, -1);
  }

  onApplicationBootstrap(): Promise<void> {
    return this.begin();
  }

  onModuleDestroy(): Promise<void> {
    return this.drain();
  }
}

/**
 * Calls `prepare` when everything is made and nothing of the application has run: before the global modules that come
 * first among the imports, too, some of which look for marked methods in their first hook.
 */
@Injectable()
export class FoundationFront implements OnModuleInit {
  prepare: () => Promise<void> = () => Promise.resolve();

  constructor(readonly modules: ModulesContainer) {
    place(modules, FoundationFront, Infinity);
  }

  onModuleInit(): Promise<void> {
    return this.prepare();
  }
}

/** Imported by `FoundationModule`. */
@Module({ providers: [FoundationEdges], exports: [FoundationEdges] })
export class FoundationEdgesModule {}

/** Imported by `FoundationModule`. */
@Module({ providers: [FoundationFront], exports: [FoundationFront] })
export class FoundationFrontModule {}

/** Moves the module of a provider; that of a global module is `Number.MAX_VALUE`. */
function place(modules: ModulesContainer, provider: typeof FoundationEdges | typeof FoundationFront, at: number): void {
  for (const module of modules.values()) if (module.providers.has(provider)) module.distance = at;
}
