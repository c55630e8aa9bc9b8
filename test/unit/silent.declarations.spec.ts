// What would be nothing without a word: a class that extends a process, a method that overrides a callable one, a
// module that comes after the start.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type CanActivate, Injectable, Logger, Module, type Provider, Scope, UseGuards } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Callable,
  Channel,
  ClusterCron,
  DeclarationError,
  FoundationModule,
  getProcessToken,
  Partitioned,
  ProcessManager,
  type Remote,
  Replicated,
  Service,
  Singleton,
} from 'nestjs-foundation';
import { eventually } from 'nestjs-foundation/testing';

let app: TestingModule | undefined;
let warned: string[] = [];
beforeEach(() => void (warned = []));
afterEach(async () => {
  await app?.close();
  app = undefined;
  Logger.overrideLogger(false);
});

async function boot(providers: Provider[]): Promise<TestingModule> {
  const warn = (line: string): void => void warned.push(line);
  const builder = Test.createTestingModule({
    imports: [FoundationModule.forRoot({ membership: { beatEvery: 50, ttl: 1500 } })],
    providers,
  });
  app = await builder.setLogger({ log: () => undefined, error: () => undefined, warn }).compile();
  return app.init();
}

@Injectable()
class Never implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Singleton({ name: 'base' })
class Base {
  @Callable({ idempotent: true })
  total(): number {
    return 1;
  }
}

describe('A class that extends a process class', () => {
  it('and has no decorator of its own is named in the log, because it is no process', async () => {
    class Between extends Base {}
    @Injectable()
    class Sub extends Between {}
    await boot([Base, Sub, { provide: 'MORE', useClass: Sub }]);
    expect(warned).toEqual([
      'Class Sub extends process class Base and has no decorator of its own, so that it is not started: give it one, such as ' +
        '@Singleton()',
    ]);
    expect((await app!.get(ProcessManager).list()).map(({ name }) => name)).toEqual(['base']);
  });

  it('may stand in its place, which is no reason to warn of it', async () => {
    @Injectable()
    class Sub extends Base {}
    await boot([{ provide: Base, useClass: Sub }]);
    expect(warned.join('\n')).not.toContain('extends');
  });
});

describe('A class that extends a service', () => {
  it('and is none is named in the log, because it is not registered', async () => {
    @Service({ name: 'desk' })
    class Desk {}
    @Injectable()
    class Sub extends Desk {}
    await boot([Desk, Sub]);
    expect(warned).toEqual(['Class Sub extends a @Service() and has none of its own, so that it is not registered']);
  });
});

/** Puts a method of its own in the place of the one that is there, as decorators of caches and of tracing do. */
const wrapped: MethodDecorator = (_target, _key, descriptor: PropertyDescriptor) => {
  const method = descriptor.value as (...args: unknown[]) => unknown;
  descriptor.value = function (this: object, ...args: unknown[]) {
    return method.apply(this, args);
  };
};

describe('A mark that nobody would find', () => {
  const MARKS: [string, MethodDecorator][] = [
    ['@Callable', Callable()],
    ['@Channel', Channel('events')],
    ['@ClusterCron', ClusterCron('0 3 * * *')],
  ];

  it.each(MARKS)('because another decorator has replaced the method: %s is refused at start', async (name, mark) => {
    @Injectable()
    class Desk {
      @wrapped
      @mark
      hear(): void {}
    }
    @Injectable()
    class Sub extends Desk {}
    await expect(boot([Sub])).rejects.toThrow(
      `${name} of Desk.hear has no effect: another method stands in the place of this one, put there by a decorator above it or by a spy`,
    );
  });

  it.each(MARKS)('counts where that decorator is below it: %s', async (_name, mark) => {
    @Injectable()
    class Desk {
      @mark
      @wrapped
      hear(): void {}
    }
    await expect(boot([Desk])).resolves.toBeDefined();
  });

  it.each(MARKS.slice(1))('because a class overrides the method is named in the log: %s', async (name, mark) => {
    class Desk {
      @mark
      hear(): void {}
    }
    @Injectable()
    class Sub extends Desk {
      override hear(): void {}
    }
    await boot([Sub, { provide: 'MORE', useClass: Sub }]);
    expect(warned).toEqual([`Sub.hear overrides a method of Desk with ${name} and has none, so that it has no effect`]);
  });
});

describe('A scope that no process has', () => {
  it.each(['above', 'below'])('is refused, whether @Injectable stands %s the mark', async (place) => {
    class Feed {}
    const marks = [Injectable({ scope: Scope.REQUEST }), Singleton()];
    for (const mark of place === 'above' ? marks.reverse() : marks) mark(Feed);
    await expect(boot([Feed])).rejects.toThrow(/request-scoped/);
  });
});

describe('A method that overrides a callable one', () => {
  it('is callable as it is', async () => {
    @Singleton({ name: 'sub' })
    class Sub extends Base {
      override total(): number {
        return super.total() + 1;
      }
    }
    const module = await boot([Sub]);
    expect(await module.get<Remote<Sub>>(getProcessToken(Sub)).total()).toBe(2);
    const [process] = await module.get(ProcessManager).list();
    expect(process).toMatchObject({ name: 'sub', state: 'running' });
  });

  it('with guards that it would be without is refused at start', async () => {
    abstract class Guarded {
      @Callable()
      @UseGuards(Never)
      total(): number {
        return 1;
      }
    }
    @Singleton({ name: 'sub' })
    class Sub extends Guarded {
      override total(): number {
        return 2;
      }
    }
    await expect(boot([Never, Sub])).rejects.toThrow(
      'class Sub cannot be declared: its method total overrides one that has guards, pipes, interceptors or filters',
    );
  });
});

describe('A module that is loaded when the application has started', () => {
  it('is named in the log for each class that has no effect', async () => {
    @Singleton({ name: 'late' })
    class Late {}
    @Injectable()
    class Listener {
      @Channel('events')
      hear(): void {}
    }
    @Injectable()
    class Jobs {
      @ClusterCron('* * * * * *', { name: 'late-job' })
      run(): void {}
    }
    @Injectable()
    class Plain {}
    @Module({ providers: [Late, Listener, Jobs, Plain] })
    class LateModule {}
    const module = await boot([Base]);
    await module.get(LazyModuleLoader).load(() => LateModule);
    await eventually(() => warned.length === 3, { lastSeen: () => warned });
    const why =
      'of module LateModule has no effect in the cluster: the module was loaded when the application had started';
    expect(warned.map((line) => line.includes(why) && /Class \w+/.exec(line)?.[0])).toEqual([
      'Class Late',
      'Class Listener',
      'Class Jobs',
    ]);
    await expect(module.get(ProcessManager).startSingleton(Late)).rejects.toThrow('not loaded lazily');
  });
});

describe('Two applications in one process', () => {
  it('have names of their own, and run each its own', async () => {
    const first = await boot([Base]);
    const second = await Test.createTestingModule({
      imports: [FoundationModule.forRoot()],
      providers: [Base],
    }).compile();
    try {
      await second.init();
      const [one] = await first.get(ProcessManager).list();
      const [other] = await second.get(ProcessManager).list();
      expect([one?.state, other?.state]).toEqual(['running', 'running']);
      expect(one?.node).not.toBe(other?.node);
    } finally {
      await second.close();
    }
  });
});

describe.each([
  ['@Channel', () => Channel('events')],
  ['@Callable', () => Callable()],
  ['@ClusterCron', () => ClusterCron('0 0 * * *')],
])('%s', (name, mark) => {
  const method = (): PropertyDescriptor => ({ value: () => undefined });

  it('is refused on a static method', () => {
    class Feed {}
    const place = `${name} of Feed.hear has no effect: the method is static. `;
    expect(() => mark()(Feed, 'hear', method())).toThrow(place);
    expect(() => mark()(Feed, 'hear', method())).toThrow(DeclarationError);
  });

  it('is refused on a getter, on a property, and on a name that is a symbol', () => {
    class Feed {}
    const on = (key: string | symbol, descriptor?: PropertyDescriptor) => () =>
      (mark() as (target: object, key: string | symbol, descriptor?: PropertyDescriptor) => void)(
        Feed.prototype,
        key,
        descriptor,
      );
    const none = `${name} of Feed.hear has no effect: it is no method. `;
    expect(on('hear', { get: () => () => undefined })).toThrow(none);
    expect(on('hear')).toThrow(none);
    expect(on(Symbol('hear'), method())).toThrow(`${name} of Feed.Symbol(hear) has no effect: a method whose name is`);
  });

  it('is refused twice on one method, and not on one that overrides another', () => {
    class Feed {}
    class Sub extends Feed {}
    const descriptor = method();
    mark()(Feed.prototype, 'hear', descriptor);
    expect(() => mark()(Feed.prototype, 'hear', descriptor)).toThrow(
      `${name} of Feed.hear has no effect: the method has another one, and one counts. `,
    );
    expect(() => mark()(Sub.prototype, 'hear', method())).not.toThrow();
  });

  it('says that the compiler takes it for another kind of decorator', () => {
    const standard = mark() as unknown as (method: () => void, context: object) => void;
    expect(() => standard(() => undefined, { kind: 'method', name: 'hear' })).toThrow(
      `${name} of hear has no effect: it is compiled as ECMAScript has it`,
    );
  });
});

describe('Two decorators of a class that exclude each other', () => {
  it.each([
    ['@Service', () => [Service(), Service({ name: 'prices' })]],
    ['@Singleton', () => [Replicated(), Singleton()]],
    ['@Replicated', () => [Partitioned(), Replicated()]],
    ['@Partitioned', () => [Singleton(), Partitioned()]],
  ])('are refused: %s', (name, marks) => {
    class Feed {}
    const [first, second] = marks();
    first!(Feed);
    expect(() => second!(Feed)).toThrow(`${name} of Feed has no effect: the class has another one of the kind`);
    class Sub extends Feed {}
    expect(() => second!(Sub)).not.toThrow();
  });

  it('are refused on what is no class', () => {
    class Feed {}
    expect(() => Service()(Feed.prototype as never)).toThrow('@Service of Feed has no effect: it is on no class');
  });
});
