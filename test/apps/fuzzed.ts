// One node with everything turned on, which says what its event loop does: what the fuzz suite feeds.
import 'reflect-metadata';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Callable,
  Channels,
  FoundationHealthModule,
  FoundationModule,
  ServiceMesh,
  Singleton,
} from 'nestjs-foundation';
import { FoundationDashboardModule } from 'nestjs-foundation/dashboard';

@Singleton({ name: 'feed', handoff: true })
@Injectable()
class Feed {
  @Callable()
  add(one: number, other: number): number {
    return one + other;
  }
  onHandoff(): object {
    return { a: 1 };
  }
}

@Module({
  imports: [
    FoundationModule.forRoot({
      cluster: true,
      membership: { beatEvery: 300, ttl: 3000 },
      channels: { names: { orders: { durable: { retryAfter: 300, maxDeliveries: 2 } } } },
      ...(process.env['FUZZED_DIRECT'] === '1' ? { transport: { kind: 'direct', host: '127.0.0.1' } } : {}),
    }),
    FoundationHealthModule,
    FoundationDashboardModule.forRoot({ token: process.env['FUZZED_TOKEN'] ?? '' }),
  ],
  providers: [Feed],
})
class FuzzedModule {}

const app = await NestFactory.create(FuzzedModule, { logger: false });
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
const channels = app.get(Channels);
await channels.subscribe('events', () => undefined);
await channels.subscribe('orders', () => undefined, { group: 'g' });
await app.get(ServiceMesh).registerService('till', { pay: () => 1 });
const chatter = setInterval(() => {
  void channels.broadcast('events', { at: Date.now() }, { timeout: 1000 }).catch(() => undefined);
  void channels.broadcast('orders', { id: 1 }).catch(() => undefined);
}, 200);
chatter.unref();
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
setInterval(() => {
  process.send?.({ longest: delay.max / 1e6, url: port });
  delay.reset();
}, 200).unref();
const port = await app.getUrl();
process.send?.({ ready: port });
process.on('disconnect', () => process.exit());
