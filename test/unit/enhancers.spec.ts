// Guards, pipes, interceptors and filters around calls and messages, as Nest has them around the handlers of requests;
// with what Nest would leave out, without a word, refused at start.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Body,
  type CallHandler,
  type CanActivate,
  Catch,
  ConsoleLogger,
  Controller,
  createParamDecorator,
  type ExecutionContext,
  ForbiddenException,
  Get,
  Inject,
  Injectable,
  Module,
  type NestInterceptor,
  ParseIntPipe,
  type PipeTransform,
  type Provider,
  Scope,
  SetMetadata,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { APP_GUARD, APP_PIPE, Reflector } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { IsInt } from 'class-validator';
import {
  Callable,
  Channel,
  Channels,
  DeclarationError,
  type FoundationContextType,
  FoundationModule,
  type FoundationOptions,
  type MessageMeta,
  ProcessDeclarationError,
  ProcessManager,
  Replicated,
  Service,
  ServiceMesh,
  Singleton,
  switchToFoundation,
} from 'nestjs-foundation';
import { eventually } from 'nestjs-foundation/testing';
import { type Observable, of, race, tap } from 'rxjs';
import { z } from 'zod';

let app: TestingModule | undefined;
let seen: unknown[];
beforeEach(() => {
  seen = [];
});
afterEach(async () => {
  await app?.close().catch(() => undefined);
  app = undefined;
});

interface Boot {
  options?: FoundationOptions;
  controllers?: Type[];
  imports?: Type[];
}

async function boot(providers: Provider[], { options, controllers = [], imports = [] }: Boot = {}) {
  app = await Test.createTestingModule({
    imports: [FoundationModule.forRoot(options), ...imports],
    providers,
    controllers,
  })
    .setLogger(new ConsoleLogger({ logLevels: [] }))
    .compile();
  await app.init();
  const processes = app.get(ProcessManager);
  const call = async (name: string, method: string, ...args: unknown[]): Promise<unknown> => {
    const ref = await eventually(() => processes.lookupSingleton(name));
    return ref.call(method, ...args);
  };
  return { app, call, channels: app.get(Channels) };
}

const Roles = (...roles: string[]) => SetMetadata('roles', roles);

@Injectable()
class Desk {
  open = true;
}

/** With a dependency of its own, as most guards have. */
@Injectable()
class RolesGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly desk: Desk,
  ) {}
  canActivate(context: ExecutionContext): boolean {
    const host = switchToFoundation(context);
    const roles = this.reflector.getAllAndOverride<string[]>('roles', [context.getHandler(), context.getClass()]);
    seen.push({ type: context.getType<FoundationContextType>(), handler: context.getHandler().name, host, roles });
    return this.desk.open;
  }
}

@Injectable()
class Twice implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler<unknown>): Observable<unknown> {
    seen.push('before');
    return next.handle().pipe(tap((value) => seen.push(['after', value])));
  }
}

class NotThere extends Error {}

@Catch(NotThere)
class NotThereFilter {
  catch(): Observable<string> {
    return of('nothing');
  }
}

class Order {
  @IsInt()
  count!: number;
}

const Caller = createParamDecorator((data: string, context: ExecutionContext) => {
  const host = switchToFoundation(context);
  return `${data} of ${host.kind === 'call' ? host.method : host.meta.channel}`;
});

@Singleton({ name: 'desk' })
class Front {
  @Callable()
  @UseGuards(RolesGuard)
  @Roles('clerk')
  take(order: string, count = 1): string {
    return `${order} ${count}`;
  }
  @Callable()
  @UsePipes(new ValidationPipe({ transform: true, whitelist: true }))
  place(order: Order, note?: string): unknown {
    return [order instanceof Order, order, note];
  }
  @Callable()
  @UsePipes(ParseIntPipe)
  sum(...numbers: number[]): number {
    return numbers.reduce((one, other) => one + other, 0);
  }
  @Callable()
  @UseInterceptors(Twice)
  watched(): string {
    return 'done';
  }
  @Callable()
  @UseFilters(NotThereFilter)
  find(what: string): string {
    throw what === 'it' ? new NotThere() : new Error('broken');
  }
  @Callable()
  who(word: string, @Caller('caller') caller?: string, @Caller('7', ParseIntPipe) number?: number): unknown {
    return [word, caller, number];
  }
  @Callable()
  bare(word: string): string {
    return word;
  }
}

describe('a call', () => {
  it('passes the guards of its method, which see what is called', async () => {
    const { call, app } = await boot([Front, Desk]);
    expect(await call('desk', 'take', 'tea')).toBe('tea 1');
    expect(seen).toEqual([
      {
        type: 'foundation',
        handler: 'take',
        host: { kind: 'call', name: 'desk', method: 'take', args: ['tea'], context: {} },
        roles: ['clerk'],
      },
    ]);
    app.get(Desk).open = false;
    await expect(call('desk', 'take', 'tea')).rejects.toMatchObject({ message: expect.stringContaining('Forbidden') });
  });

  it('passes the pipes, with the types of the parameters', async () => {
    const { call } = await boot([Front, Desk]);
    expect(await call('desk', 'place', { count: 2, more: 1 })).toEqual([true, { count: 2 }, null]);
    await expect(call('desk', 'place', { count: 'two' })).rejects.toThrow(/count must be an integer|Bad Request/);
    await expect(call('desk', 'place')).rejects.toThrow();
    expect(await call('desk', 'sum', '1', '2', '39')).toBe(42);
    expect(await call('desk', 'sum')).toBe(0);
    await expect(call('desk', 'sum', 'x')).rejects.toThrow('numeric string is expected');
  });

  it('runs within the interceptors', async () => {
    const { call } = await boot([Front, Desk]);
    expect(await call('desk', 'watched')).toBe('done');
    expect(seen).toEqual(['before', ['after', 'done']]);
  });

  it('fails with what a filter makes of it, and with its own error where none is for it', async () => {
    const { call } = await boot([Front, Desk]);
    expect(await call('desk', 'find', 'it')).toBe('nothing');
    await expect(call('desk', 'find', 'other')).rejects.toThrow('broken');
  });

  it('has parameters that a decorator of createParamDecorator() fills', async () => {
    const { call } = await boot([Front, Desk]);
    await expect(call('desk', 'who', 'I')).rejects.toThrow('numeric string is expected');
    expect(await call('desk', 'bare', 'word')).toBe('word');
  });

  it('has what stands on the class around each of its methods, and not around those of others', async () => {
    @Singleton({ name: 'guarded' })
    @UseGuards(RolesGuard)
    @UseInterceptors(Twice)
    class Guarded {
      @Callable()
      one(): number {
        return 1;
      }
    }
    const { call } = await boot([Front, Guarded, Desk]);
    expect(await call('guarded', 'one')).toBe(1);
    expect(seen).toHaveLength(3);
    expect(await call('desk', 'bare', 'word')).toBe('word');
    expect(seen).toHaveLength(3);
  });

  it('of a service passes them as well, also of a class that is provided under another token', async () => {
    @Service({ name: 'till' })
    class Till {
      @Callable()
      @UseGuards(RolesGuard)
      pay(): string {
        return 'paid';
      }
    }
    const { app } = await boot([{ provide: 'TILL', useClass: Till }, Desk]);
    expect(await app.get(ServiceMesh).call('till', 'pay')).toBe('paid');
    app.get(Desk).open = false;
    await expect(app.get(ServiceMesh).call('till', 'pay')).rejects.toThrow('Forbidden');
  });

  it('waits within its process, so that a stop waits for its guards', async () => {
    let release!: () => void;
    const gate = new Promise<void>((done) => (release = done));
    const order: string[] = [];
    @Injectable()
    class Slow implements CanActivate {
      async canActivate(): Promise<boolean> {
        order.push('guard');
        await gate;
        return true;
      }
    }
    @Singleton({ name: 'slow' })
    class SlowOne {
      @Callable()
      @UseGuards(Slow)
      run(): string {
        order.push('run');
        return 'ran';
      }
      onProcessStop(): void {
        order.push('stop');
      }
    }
    const { call, app } = await boot([SlowOne]);
    const running = call('slow', 'run');
    await eventually(() => order.includes('guard'));
    const stopping = app.get(ProcessManager).stop('slow');
    release();
    expect(await running).toBe('ran');
    await stopping;
    expect(order).toEqual(['guard', 'run', 'stop']);
  });
});

describe('what is around a call and is over before its method', () => {
  const release: (() => void)[] = [];
  const until = (): Promise<void> => new Promise((done) => release.push(done));
  /** Answers at once, and runs the method whenever it is released. */
  @Injectable()
  class Stale implements NestInterceptor {
    intercept(_context: ExecutionContext, next: CallHandler<unknown>): Observable<unknown> {
      void until().then(() => next.handle().subscribe({ error: (error: unknown) => seen.push(String(error)) }));
      return of('stale');
    }
  }
  @Singleton({ name: 'slow' })
  class Slow {
    @Callable()
    @UseInterceptors(
      new (class implements NestInterceptor {
        intercept(_context: ExecutionContext, next: CallHandler<unknown>): Observable<unknown> {
          const begun = eventually(() => seen.includes('began')).then(() => 'gave up');
          return race(next.handle(), begun);
        }
      })(),
    )
    async work(): Promise<void> {
      seen.push('began');
      await until();
      seen.push('ended');
    }
    @Callable()
    @UseInterceptors(Stale)
    refresh(): void {
      seen.push('refreshed');
    }
    onProcessStop(): void {
      seen.push('stop hook');
    }
  }

  it('does not let the process end before the method', async () => {
    const { app, call } = await boot([Slow]);
    expect(await call('slow', 'work')).toBe('gave up');
    let isStopped = false;
    const stopping = app
      .get(ProcessManager)
      .stop('slow')
      .then(() => (isStopped = true));
    await eventually(() => seen.includes('stop hook'));
    expect({ isStopped, seen }).toEqual({ isStopped: false, seen: ['began', 'stop hook'] });
    release.pop()!();
    await stopping;
    expect(seen).toEqual(['began', 'stop hook', 'ended']);
  });

  it('begins no method after the end of the process', async () => {
    const { app, call } = await boot([Slow]);
    expect(await call('slow', 'refresh')).toBe('stale');
    await app.get(ProcessManager).stop('slow');
    release.pop()!();
    await eventually(() => seen.length === 2, { lastSeen: () => seen });
    expect(seen).toEqual(['stop hook', expect.stringContaining('process "slow" no longer runs here')]);
  });
});

describe('a filter that returns nothing', () => {
  it('has handled a message, and leaves a call its error', async () => {
    @Catch()
    class Logging {
      catch(error: Error): void {
        seen.push(error.message);
      }
    }
    @Catch()
    class Nothing {
      catch(): null {
        return null;
      }
    }
    @Service({ name: 'till' })
    @UseFilters(Logging)
    class Till {
      @Callable()
      pay(): never {
        throw new Error('no money');
      }
      @Callable()
      @UseFilters(Nothing)
      none(): never {
        throw new Error('not seen');
      }
      @Channel('events')
      onEvent(): never {
        throw new Error('no event');
      }
    }
    const { app, channels } = await boot([Till]);
    await expect(app.get(ServiceMesh).call('till', 'pay')).rejects.toThrow('no money');
    expect(await app.get(ServiceMesh).call('till', 'none')).toBeNull();
    await channels.broadcast('events', 1, { timeout: 20_000 });
    expect(seen).toEqual(['no money', 'no event']);
  });
});

describe('an object that Nest has not made', () => {
  class Offered {
    @Callable()
    @UseGuards(RolesGuard)
    pay(): string {
      return 'paid';
    }
  }

  it('is not called where a guard would be left out', async () => {
    const { app } = await boot([Desk, RolesGuard]);
    const mesh = app.get(ServiceMesh);
    await mesh.registerService('till', new Offered());
    await expect(mesh.call('till', 'pay')).rejects.toThrow('@UseGuards of Offered.pay: RolesGuard cannot be applied');
    expect(seen).toEqual([]);
    const odd = Object.create(new Offered(), { constructor: { value: undefined } }) as object;
    await mesh.registerService('odd', odd);
    await expect(mesh.call('odd', 'pay')).rejects.toThrow('RolesGuard cannot be applied');
  });
});

describe('one class in two modules', () => {
  it('has the guards and pipes of the module that made the object', async () => {
    @Injectable()
    class Named implements CanActivate, PipeTransform {
      constructor(@Inject('NAME') private readonly name: string) {}
      canActivate(): boolean {
        seen.push(`guard ${this.name}`);
        return true;
      }
      transform(value: unknown): unknown {
        seen.push(`pipe ${this.name}`);
        return value;
      }
    }
    @Injectable()
    class Pay {
      @Callable()
      @UseGuards(Named)
      @UsePipes(Named)
      pay(amount: number): number {
        return amount;
      }
    }
    const moduleOf = (name: string): Type => {
      @Module({
        providers: [Pay, Named, { provide: 'NAME', useValue: name }, { provide: name, useExisting: Pay }],
        exports: [name],
      })
      class Part {}
      return Part;
    };
    const { app } = await boot([], { imports: [moduleOf('a'), moduleOf('b')] });
    const mesh = app.get(ServiceMesh);
    for (const name of ['a', 'b']) await mesh.registerService(name, app.get<object>(name, { strict: false }));
    for (const name of ['a', 'b']) expect(await mesh.call(name, 'pay', [1])).toBe(1);
    expect(seen).toEqual(['guard a', 'pipe a', 'guard b', 'pipe b']);
  });
});

describe('schemas', () => {
  it('hold for a call also where the method hears a channel, and something is around it', async () => {
    @Service({ name: 'svc' })
    class Both {
      @Channel('events')
      @Callable({ args: [z.object({ id: z.number() })] })
      @UseInterceptors(Twice)
      take(value: unknown): unknown {
        return value;
      }
    }
    const { app } = await boot([Both]);
    const asked = app.get(ServiceMesh).call('svc', 'take', [{ id: 'nope' }]);
    await expect(asked).rejects.toMatchObject({ code: 'FOUNDATION_INVALID_ARGUMENTS' });
    expect(await app.get(ServiceMesh).call('svc', 'take', [{ id: 1, more: 2 }])).toEqual({ id: 1 });
  });

  it('read the arguments after guards and pipes, and the messages of a channel', async () => {
    @Singleton({ name: 'till' })
    @UseGuards(RolesGuard)
    class Till {
      @Callable({ args: [z.object({ count: z.coerce.number() })] })
      @UseInterceptors(Twice)
      pay({ count }: { count: number }): number {
        return count;
      }
      @Channel('events', { payload: z.object({ id: z.number() }) })
      onEvent({ id }: { id: number }): void {
        seen.push(id);
      }
    }
    const { app, call, channels } = await boot([Till, Desk]);
    expect(await call('till', 'pay', { count: '7' })).toBe(7);
    await expect(call('till', 'pay', 7)).rejects.toMatchObject({ code: 'FOUNDATION_INVALID_ARGUMENTS' });
    seen.length = 0;
    await channels.broadcast('events', { id: 'x' }, { timeout: 20_000 }).catch(() => undefined);
    await channels.broadcast('events', { id: 7 }, { timeout: 20_000 });
    expect(seen.at(-1)).toBe(7);
    expect(seen).toHaveLength(2);
    app.get(Desk).open = false;
    await expect(call('till', 'pay', 7)).rejects.toThrow('Forbidden');
  });
});

describe('a message', () => {
  it('passes guards, pipes and interceptors; its meta passes no pipe', async () => {
    @Injectable()
    class Listener {
      @Channel('events')
      @UseGuards(RolesGuard)
      @UsePipes(ParseIntPipe)
      @UseInterceptors(Twice)
      onEvent(message: number, meta: MessageMeta): void {
        seen.push([message, meta.channel]);
      }
    }
    const { channels, app } = await boot([Listener, Desk]);
    await channels.broadcast('events', '7', { timeout: 20_000 });
    expect(seen).toEqual([
      expect.objectContaining({ host: { kind: 'message', message: '7', meta: expect.anything() } }),
      'before',
      [7, 'events'],
      ['after', undefined],
    ]);
    app.get(Desk).open = false;
    await channels.broadcast('events', '8', { timeout: 20_000 }).catch(() => undefined);
    expect(seen).toHaveLength(5);
  });

  it('passes the guards of a controller, with those of its class', async () => {
    @Controller('orders')
    @UseGuards(RolesGuard)
    class Orders {
      @Get()
      list(): string[] {
        return [];
      }
      @Channel('events')
      onEvent(message: unknown, @Caller('meta') caller: string): void {
        seen.push([message, caller]);
      }
    }
    const { channels } = await boot([Desk], { controllers: [Orders] });
    await channels.broadcast('events', 1, { timeout: 20_000 });
    expect(seen[1]).toEqual([1, 'meta of events']);
    expect(seen).toHaveLength(2);
  });
});

describe('what is bound to the whole application', () => {
  @Injectable()
  class Never implements CanActivate {
    canActivate(): boolean {
      seen.push('asked');
      throw new ForbiddenException('never');
    }
  }
  const providers = [Front, Desk, { provide: APP_GUARD, useClass: Never }];

  it('is not applied by default', async () => {
    const { call } = await boot(providers);
    expect(await call('desk', 'take', 'tea')).toBe('tea 1');
    expect(await call('desk', 'bare', 'word')).toBe('word');
    expect(seen).not.toContain('asked');
  });

  it('is applied with globalEnhancers, to each call and message', async () => {
    @Injectable()
    class Listener {
      @Channel('events')
      onEvent(): void {
        seen.push('heard');
      }
    }
    const { call, channels } = await boot([...providers, Listener], { options: { globalEnhancers: true } });
    await expect(call('desk', 'bare', 'word')).rejects.toThrow('never');
    await channels.broadcast('events', 1, { timeout: 20_000 }).catch(() => undefined);
    expect(seen).toEqual(['asked', 'asked']);
  });

  it('applies pipes to the arguments as well', async () => {
    const pipe = { provide: APP_PIPE, useValue: new ValidationPipe() };
    const { call } = await boot([Front, Desk, pipe], { options: { globalEnhancers: true } });
    await expect(call('desk', 'place', { count: 'two' })).rejects.toThrow();
    expect(await call('desk', 'bare', 'word')).toBe('word');
  });

  it('is refused at start where it is request-scoped', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest extends Never {}
    const guard = { provide: APP_GUARD, useClass: PerRequest };
    const starting = boot([Front, Desk, guard], { options: { globalEnhancers: true } });
    await expect(starting).rejects.toThrow(/is request-scoped.*"globalEnhancers"/);
  });
});

describe('what cannot be applied is refused at start', () => {
  const listening = (decorate: MethodDecorator): Type => {
    @Injectable()
    class Listener {
      @Channel('events')
      onEvent(): void {}
    }
    decorate(Listener.prototype, 'onEvent', Object.getOwnPropertyDescriptor(Listener.prototype, 'onEvent')!);
    return Listener;
  };

  it.each([
    ['request-scoped', Scope.REQUEST, 'it is request-scoped'],
    ['transient', Scope.TRANSIENT, 'it is transient'],
  ])('a guard that is %s', async (_what, scope, why) => {
    @Injectable({ scope })
    class Guard implements CanActivate {
      canActivate(): boolean {
        return true;
      }
    }
    const starting = boot([listening(UseGuards(Guard))]);
    await expect(starting).rejects.toBeInstanceOf(DeclarationError);
    await expect(starting).rejects.toThrow(`@UseGuards of Listener.onEvent: Guard has no effect: ${why}`);
  });

  it('a guard with a dependency that is request-scoped', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class User {}
    @Injectable()
    class Guard implements CanActivate {
      constructor(@Inject(User) readonly user: User) {}
      canActivate(): boolean {
        return true;
      }
    }
    await expect(boot([User, listening(UseGuards(Guard))])).rejects.toThrow('it is request-scoped, or depends on');
  });

  it('a guard of which Nest has no instance, because a factory makes the object', async () => {
    const Listener = listening(UseGuards(RolesGuard));
    const factory = { provide: 'LISTENER', useFactory: () => new Listener() as object };
    await expect(boot([Desk, factory])).rejects.toThrow('Nest has no instance of it in the module of Listener');
  });

  it('a parameter that asks a request for its value', async () => {
    @Singleton({ name: 'desk' })
    class Wrong {
      @Callable()
      place(@Body() order: Order): Order {
        return order;
      }
    }
    await expect(boot([Wrong])).rejects.toThrow('it takes its value out of a request');
  });

  it('a decorator on a method of a process that nothing reaches', async () => {
    @Replicated({ name: 'desk' })
    class Wrong {
      @UseGuards(RolesGuard)
      idle(): void {}
    }
    const starting = boot([Wrong, Desk]);
    await expect(starting).rejects.toBeInstanceOf(ProcessDeclarationError);
    await expect(starting).rejects.toThrow('its method idle has @UseGuards, which Foundation applies to calls');
  });

  it('none of them is, where a module of its own provides the class', async () => {
    @Module({ providers: [Front, Desk] })
    class FrontModule {}
    const { call } = await boot([], { imports: [FrontModule] });
    expect(await call('desk', 'take', 'tea', 2)).toBe('tea 2');
  });
});
