// An application that is bundled: processes named after their classes, and everything of the package that is loaded
// late or read from a file.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { Callable, FoundationHealthModule, FoundationModule, ProcessManager, Singleton } from 'nestjs-foundation';
import { FoundationDashboardModule } from 'nestjs-foundation/dashboard';
import { FoundationPrometheusModule } from 'nestjs-foundation/prometheus';

@Singleton()
class Ledger {
  @Callable() total(): number {
    return 42;
  }
}

@Singleton({ name: 'named' })
class Bookkeeper {}

@Module({
  imports: [
    FoundationModule.forRoot({ cluster: true }),
    FoundationHealthModule,
    FoundationDashboardModule.forRoot({ token: 'the token of the bundle' }),
    FoundationPrometheusModule,
  ],
  providers: [Ledger, Bookkeeper],
})
class BundledModule {}

// Not awaited at the top, which CommonJS does not have.
async function start(): Promise<void> {
  // The adapter by hand: Nest loads the default one by a name that no bundler can follow.
  const app = await NestFactory.create(BundledModule, new ExpressAdapter());
  app.enableShutdownHooks();
  await app.listen(Number(process.env['PORT']), '127.0.0.1');
  const ledger = await app.get(ProcessManager).startSingleton(Ledger);
  const names = (await app.get(ProcessManager).list()).map(({ name }) => name);
  console.log(`BUNDLED ${JSON.stringify({ total: await ledger.call('total'), names })}`);
}

start().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
