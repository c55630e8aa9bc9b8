// How the module is imported: in any order, and once.
import { afterEach, describe, expect, it } from '@jest/globals';
import { type DynamicModule, Injectable, Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Callable,
  FoundationConfigError,
  FoundationModule,
  InjectSingleton,
  ProcessManager,
  type Remote,
  Singleton,
} from 'nestjs-foundation';

let app: TestingModule | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

const boot = async (module: DynamicModule | (new () => object)): Promise<TestingModule> => {
  app = await Test.createTestingModule({ imports: [module] }).compile();
  app.enableShutdownHooks();
  return app.init();
};

describe('FoundationModule.forRoot', () => {
  it.each([
    ['forRoot', () => FoundationModule.forRoot()],
    ['forRootAsync', () => FoundationModule.forRootAsync({ useFactory: () => ({}) })],
  ])('injects processes whose classes are loaded after %s', async (how, make) => {
    const Cluster = make();

    @Singleton({ name: `ledger-${how}` })
    class Ledger {
      @Callable()
      balance(): number {
        return 42;
      }
    }
    @Injectable()
    class Shop {
      constructor(@InjectSingleton(Ledger) readonly ledger: Remote<Ledger>) {}
    }
    @Module({ imports: [Cluster], providers: [Ledger, Shop], exports: [Shop] })
    class AppModule {}

    const { ledger } = (await boot(AppModule)).get(Shop);
    expect(await ledger.balance()).toBe(42);
  });

  it('is refused a second time, with both places', async () => {
    @Module({ imports: [FoundationModule.forRoot()] })
    class OrdersModule {}
    @Module({ imports: [OrdersModule, FoundationModule.forRootAsync({ useFactory: () => ({}) })] })
    class AppModule {}

    const error = await boot(AppModule).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FoundationConfigError);
    expect((error as Error).message).toBe(
      'Option "imports" is not valid: received FoundationModule 2 times, in AppModule and in OrdersModule, expected one ' +
        'forRoot() or forRootAsync(), in the root module, whose providers all modules see. Foundation did not start. ' +
        'Correct the option and start again.',
    );
  });

  it('is missing where a module imports the class alone', async () => {
    @Module({ imports: [FoundationModule] })
    class OrdersModule {}
    const error = await boot(OrdersModule).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FoundationConfigError);
    expect((error as Error).message).toContain(
      'Option "imports" is not valid: received FoundationModule without options, in OrdersModule, expected ' +
        'FoundationModule.forRoot() or forRootAsync(), once, in the root module, whose providers all modules see.',
    );

    @Module({ imports: [FoundationModule.forRoot(), OrdersModule] })
    class AppModule {}
    await expect(boot(AppModule)).rejects.toThrow(
      'received FoundationModule 2 times, in AppModule and in OrdersModule',
    );
  });

  it('may be imported by several modules as one and the same', async () => {
    const Cluster = FoundationModule.forRoot({ isGlobal: false });
    @Module({ imports: [Cluster] })
    class OrdersModule {}
    @Module({ imports: [Cluster, OrdersModule] })
    class AppModule {}
    expect((await boot(AppModule)).get(ProcessManager)).toBeInstanceOf(ProcessManager);
  });
});
