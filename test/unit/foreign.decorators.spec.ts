// Decorators of other packages, the real ones, where they would be ignored or act on the wrong instance: the start says
// so and names the method. What they are for, they go on to do.
import { afterEach, describe, expect, it } from '@jest/globals';
import { OnQueueEvent, OnWorkerEvent, Processor, QueueEventsListener } from '@nestjs/bullmq';
import {
  type CanActivate,
  Injectable,
  type Provider,
  SetMetadata,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { CommandHandler, EventsHandler, QueryHandler, Saga } from '@nestjs/cqrs';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { Interval, ScheduleModule } from '@nestjs/schedule';
import { Test, type TestingModule } from '@nestjs/testing';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { FoundationModule, ProcessDeclarationError, Singleton } from 'nestjs-foundation';
import { eventually } from 'nestjs-foundation/testing';

let app: TestingModule | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function boot(providers: Provider[], imports: object[] = []): Promise<TestingModule> {
  app = await Test.createTestingModule({
    imports: [FoundationModule.forRoot(), ...(imports as Type[])],
    providers,
  }).compile();
  return app.init();
}

@Injectable()
class No implements CanActivate {
  canActivate(): boolean {
    return false;
  }
  intercept(): never {
    throw new Error('not here');
  }
  catch(): void {}
}

class Order {}

/** A process class with the decorator on its method, or on itself. */
function processWith(on: 'method' | 'class', decorator: unknown): Type {
  class Feed {
    tick(): void {}
  }
  const descriptor = Object.getOwnPropertyDescriptor(Feed.prototype, 'tick')!;
  if (on === 'method') (decorator as MethodDecorator)(Feed.prototype, 'tick', descriptor);
  else (decorator as ClassDecorator)(Feed);
  Singleton({ name: 'feed' })(Feed);
  return Feed;
}

const OTHERS: [string, 'method' | 'class', unknown][] = [
  ['@MessagePattern of @nestjs/microservices', 'method', MessagePattern('order')],
  ['@EventPattern of @nestjs/microservices', 'method', EventPattern('order')],
  ['@SubscribeMessage of @nestjs/websockets', 'method', SubscribeMessage('order')],
  ['@OnWorkerEvent of @nestjs/bullmq', 'method', OnWorkerEvent('active')],
  ['@OnQueueEvent of @nestjs/bullmq', 'method', OnQueueEvent('active')],
  ['@Processor of @nestjs/bullmq', 'class', Processor('orders')],
  ['@QueueEventsListener of @nestjs/bullmq', 'class', QueueEventsListener('orders')],
  ['@WebSocketGateway of @nestjs/websockets', 'class', WebSocketGateway()],
  ['@CommandHandler of @nestjs/cqrs', 'class', CommandHandler(Order)],
  ['@EventsHandler of @nestjs/cqrs', 'class', EventsHandler(Order)],
  ['@QueryHandler of @nestjs/cqrs', 'class', QueryHandler(Order)],
  // As @nestjs/graphql 14.0 marks them.
  ['@Query of @nestjs/graphql', 'method', SetMetadata('graphql:resolver_type', 'Query')],
  ['@ResolveField of @nestjs/graphql', 'method', SetMetadata('graphql:resolve_property', true)],
  ['@ResolveReference of @nestjs/graphql', 'method', SetMetadata('graphql:resolve_reference', true)],
  ['@Resolver or another decorator of entry providers', 'class', SetMetadata('__entryProvider__', true)],
];

describe('a process class', () => {
  it.each(OTHERS)('with %s is refused at start', async (decorator, on, decorate) => {
    const starting = boot([processWith(on, decorate)]);
    await expect(starting).rejects.toBeInstanceOf(ProcessDeclarationError);
    await expect(starting).rejects.toThrow(
      `class Feed cannot be declared: ${on === 'class' ? 'it' : 'its method tick'} has ${decorator}, which acts on every node`,
    );
  });

  it('with a saga of @nestjs/cqrs is refused at start', async () => {
    class Sagas {
      @Saga()
      orders = (): undefined => undefined;
    }
    Singleton({ name: 'feed' })(Sagas);
    await expect(boot([Sagas])).rejects.toThrow('class Sagas cannot be declared: it has @Saga of @nestjs/cqrs');
  });

  it.each<[string, MethodDecorator & ClassDecorator]>([
    ['@UseGuards', UseGuards(No)],
    ['@UsePipes', UsePipes(new ValidationPipe())],
    ['@UseInterceptors', UseInterceptors(No)],
    ['@UseFilters', UseFilters(No)],
  ])(
    'with %s that no call and no message reaches is refused at start, on the class and on a method',
    async (decorator, decorate) => {
      await expect(boot([No, processWith('method', decorate)])).rejects.toThrow(`its method tick has ${decorator}`);
      await app?.close().catch(() => undefined);
      await expect(boot([No, processWith('class', decorate)])).rejects.toThrow(`it has ${decorator}`);
    },
  );

  it('with the decorator on a method of its parent is refused as well', async () => {
    class Base {
      @MessagePattern('order')
      nightly(): void {}
    }
    @Singleton({ name: 'feed' })
    class Feed extends Base {}
    await expect(boot([Feed])).rejects.toThrow('its method nightly has @MessagePattern of @nestjs/microservices');
  });

  it('starts when the decorators stand on another class, which they act on', async () => {
    let ticks = 0;
    let events = 0;
    @Injectable()
    class Jobs {
      @Interval(10)
      tick(): void {
        ticks += 1;
      }
      @OnEvent('order')
      onOrder(): void {
        events += 1;
      }
    }
    @Singleton({ name: 'feed' })
    class Feed {
      // An accessor is not run.
      get price(): number {
        throw new Error('not here');
      }
    }
    const module = await boot([Jobs, Feed], [ScheduleModule.forRoot(), EventEmitterModule.forRoot()]);
    module.get(EventEmitter2).emit('order');
    await eventually(() => ticks > 1 && events === 1, { lastSeen: () => ({ ticks, events }) });
  });
});
