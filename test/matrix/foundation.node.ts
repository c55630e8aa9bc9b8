// Copied into a real application by test/matrix.mjs: a node that answers what its parent asks of it.
import { Controller, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type ClientProxy, EventPattern, MessagePattern } from '@nestjs/microservices';
import {
  Callable,
  Channel,
  Channels,
  FoundationModule,
  InjectSingleton,
  Membership,
  type ProcessContext,
  type Remote,
  Singleton,
} from 'nestjs-foundation';
import { FoundationClient, FoundationStrategy } from 'nestjs-foundation/microservices';
import { firstValueFrom } from 'rxjs';

const heard: string[] = [];

@Singleton({ name: 'feed' })
export class Feed {
  #node = '';

  onProcessStart(ctx: ProcessContext): void {
    this.#node = ctx.node;
  }

  @Callable()
  price(of: string): string {
    return `${of} from ${this.#node}`;
  }
}

@Injectable()
export class Shop {
  constructor(
    private readonly channels: Channels,
    @InjectSingleton(Feed) private readonly feed: Remote<Feed>,
  ) {}

  @Channel('events', { type: 'hello' })
  onHello({ from }: { from: string }): void {
    heard.push(from);
  }

  price(of: string): Promise<string> {
    return this.feed.price(of);
  }

  async say(from: string): Promise<void> {
    await this.channels.broadcast('events', { from }, { type: 'hello' });
  }
}

@Controller()
export class Rpc {
  @MessagePattern('sum')
  sum(numbers: number[]): number {
    return numbers.reduce((sum, each) => sum + each, 0);
  }

  @EventPattern('rpc-hello')
  hello({ from }: { from: string }): void {
    heard.push(`rpc ${from}`);
  }
}

const { REDIS, NODE_NAME } = process.env;

@Module({
  imports: [
    FoundationModule.forRoot({
      appName: 'matrix',
      channels: { names: ['rpc'] },
      ...(REDIS === undefined ? {} : { cluster: true, redis: REDIS, nodeName: NODE_NAME, lease: { ttl: 1500 } }),
    }),
  ],
  controllers: [Rpc],
  providers: [
    Feed,
    Shop,
    {
      provide: 'RPC',
      inject: [Channels],
      useFactory: (channels: Channels) => new FoundationClient({ channels, channel: 'rpc' }),
    },
  ],
})
export class NodeModule {}

export async function main(): Promise<void> {
  const app = await NestFactory.create(NodeModule, { logger: ['error', 'warn'] });
  app.enableShutdownHooks();
  app.connectMicroservice({ strategy: new FoundationStrategy(app.get(Channels), { channel: 'rpc' }) });
  await app.startAllMicroservices();
  await app.init();
  const rpc = app.get<ClientProxy>('RPC');
  const questions: Record<string, (...args: never[]) => unknown> = {
    members: () => app.get(Membership).members().length,
    price: (of: string) => app.get(Shop).price(of),
    say: () => app.get(Shop).say(NODE_NAME ?? ''),
    heard: () => [...heard].sort().join(),
    sum: (...numbers: number[]) => firstValueFrom(rpc.send<number>('sum', numbers)),
    emit: () => firstValueFrom(rpc.emit('rpc-hello', { from: NODE_NAME }), { defaultValue: undefined }),
  };
  process.on('message', ([id, question, ...args]: [number, string, ...unknown[]]) => {
    void Promise.resolve()
      .then(() => questions[question]!(...(args as never[])))
      .catch((error: unknown) => String(error))
      .then((answer) => process.send?.([id, answer]));
  });
  process.send?.('ready');
}

if (process.env.MATRIX_NODE !== undefined) void main();
