// An application as a user of the test kit has it, for its specs: it knows nothing of the kit. By the environment it
// can be made to fail in the ways in which applications do.
import 'reflect-metadata';
import { Controller, Get, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Callable,
  FoundationModule,
  Membership,
  Partitioned,
  type ProcessContext,
  Replicated,
  Singleton,
} from 'nestjs-foundation';

@Singleton({ name: 'till' })
export class Till {
  #node = '';
  onProcessStart(ctx: ProcessContext): void {
    this.#node = ctx.node;
  }
  @Callable()
  where(): string {
    return this.#node;
  }
  @Callable()
  add(...numbers: number[]): number {
    return numbers.reduce((sum, each) => sum + each, 0);
  }
}

@Partitioned({ name: 'accounts', partitions: 3 })
export class Accounts {
  #index = -1;
  onProcessStart(ctx: ProcessContext): void {
    this.#index = ctx.index ?? -1;
  }
  @Callable()
  index(): number {
    return this.#index;
  }
}

@Replicated({ name: 'shelves' })
export class Shelves {}

@Injectable()
export class Orders {
  constructor(private readonly membership: Membership) {}
  place(order: { item: string }): object {
    return { ...order, at: this.membership.self.name, on: new Date(0), nothing: undefined };
  }
  nothing(): void {
    // Answers with nothing.
  }
  fail(): never {
    throw Object.assign(new TypeError('There is no tea'), { code: 'NO_TEA' });
  }
  endless(): unknown {
    const order: { self?: unknown } = {};
    order.self = order;
    return order;
  }
  async never(): Promise<void> {
    await new Promise(() => undefined);
  }
  variable(name: string): string | undefined {
    return process.env[name];
  }
}

@Controller()
export class Door {
  constructor(private readonly membership: Membership) {}
  @Get()
  open(): string {
    return this.membership.self.name;
  }
}

// What it says of Redis and of itself here is right in production, and wrong in each of its tests.
@Module({
  imports: [FoundationModule.forRoot({ cluster: true, redis: 'redis://127.0.0.1:1', nodeName: 'production' })],
  controllers: [Door],
  providers: [Till, Accounts, Shelves, Orders],
})
export class ShopModule {}

@Module({})
class EmptyModule {}

async function main(): Promise<void> {
  const how = process.env['SHOP'];
  if (how === 'throws') throw new Error('The shop is closed today');
  const app = await NestFactory.create(how === 'empty' ? EmptyModule : ShopModule, {
    logger: ['log', 'warn', 'error'],
  });
  app.enableShutdownHooks();
  if (how === 'late') {
    await app.init();
    await new Promise((resolve) => setTimeout(resolve, 2000)); // what an application does before it listens
  }
  if (how === 'deaf') await app.init();
  else await app.listen(process.env['SHOP_PORT'] ?? process.env['PORT'] ?? 3000);
  console.log(`The shop is open in ${process.cwd()}`);
}

if (process.argv[1]?.endsWith('shop.js'))
  void main().catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
