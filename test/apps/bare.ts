// A Nest application with nothing in it, or with Foundation alone (argument `foundation`): what the footprint compares.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

const imports = [];
const providers = [];
if (process.argv[2] === 'foundation') {
  const { FoundationModule, Singleton } = await import('nestjs-foundation');
  @Singleton()
  @Injectable()
  class Idle {}
  imports.push(FoundationModule.forRoot({ cluster: true }));
  providers.push(Idle);
}

@Module({ imports, providers })
class BareModule {}

const app = await NestFactory.create(BareModule, { logger: false });
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
process.send?.('ready');
process.on('disconnect', () => process.exit());
