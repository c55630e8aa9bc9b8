// An application with something of everything that the dashboard shows, for a browser and the pictures of the guide.
import 'reflect-metadata';
import { Injectable, Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Callable,
  Channel,
  Channels,
  ClusterCron,
  FoundationModule,
  type Inspectable,
  Partitioned,
  ProcessManager,
  Replicated,
  ServiceMesh,
  Singleton,
} from 'nestjs-foundation';
import { FoundationDashboardModule } from 'nestjs-foundation/dashboard';

const EVERY_MS = 50;

@Singleton({ name: 'orders' })
export class Orders implements Inspectable {
  #orders = 0;

  @Callable()
  place(amount: number): number {
    if (!(amount > 0)) throw new Error('an order of nothing');
    return (this.#orders += 1);
  }

  inspect(): unknown {
    return { orders: this.#orders, note: '<b>not bold</b>' };
  }
}

@Singleton({ name: 'billing' })
export class Billing {}

@Partitioned({ name: 'accounts', partitions: 12 })
export class Accounts {}

@Replicated({ name: 'mailers', replicas: 3 })
export class Mailers {}

@Injectable()
export class Stock implements Inspectable {
  @Callable()
  left(article: string): string {
    return `7 of ${article}`;
  }

  inspect(): unknown {
    return { articles: 3 };
  }
}

@Injectable()
export class Jobs {
  @ClusterCron('0 3 * * *', { name: 'nightly-invoices' })
  invoice(): void {
    // What it would do is of no interest to the page.
  }

  @Channel('events')
  heard(): void {
    // Its figures are.
  }
}

/** Customers: a call and a message now and then. */
@Injectable()
export class Customers implements OnApplicationBootstrap, OnModuleDestroy {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly processes: ProcessManager,
    private readonly channels: Channels,
    private readonly services: ServiceMesh,
    private readonly stock: Stock,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.services.registerService('stock', this.stock, ['eu']);
    this.#timer = setInterval(() => void this.#order().catch(() => undefined), EVERY_MS);
  }

  onModuleDestroy(): void {
    clearInterval(this.#timer);
  }

  async #order(): Promise<void> {
    const orders = await this.processes.lookupSingleton(Orders);
    // One in ten is refused.
    await Promise.allSettled([
      orders?.call('place', Math.random() - 0.1),
      this.services.call('stock', 'left', ['tea']),
    ]);
    await this.channels.broadcast('events', { ordered: true });
  }
}

const { SHOP_TOKEN: token = '', SHOP_READ_ONLY_TOKEN: readOnlyToken = '', PORT: port } = process.env;

@Module({
  imports: [
    FoundationModule.forRoot({ cluster: true, appName: 'shop' }),
    FoundationDashboardModule.forRoot({ token, readOnlyToken }),
  ],
  providers: [Orders, Billing, Accounts, Mailers, Stock, Jobs, Customers],
})
class AppModule {}

const app = await NestFactory.create(AppModule);
app.enableShutdownHooks();
await app.listen(Number(port), '127.0.0.1');
