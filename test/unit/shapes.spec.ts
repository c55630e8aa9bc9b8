// Decorators on providers of every shape: each object that Nest shares is heard once, and what cannot work fails the
// start.
import { afterEach, describe, expect, it } from '@jest/globals';
import { forwardRef, Inject, Injectable, type Provider, Scope, type Type } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Callable,
  Channel,
  Channels,
  DeclarationError,
  FoundationModule,
  ProcessDeclarationError,
  ProcessManager,
  Service,
  ServiceMesh,
  Singleton,
} from 'nestjs-foundation';
import { eventually } from 'nestjs-foundation/testing';

let app: TestingModule | undefined;
let heard: string[] = [];
afterEach(async () => {
  await app?.close();
  app = undefined;
  heard = [];
});

async function boot(providers: Provider[], imports: Type[] = [], controllers: Type[] = []): Promise<TestingModule> {
  const channels = { names: ['orders', 'end'] };
  app = await Test.createTestingModule({
    imports: [FoundationModule.forRoot({ channels }), ...imports],
    providers: [...providers, End],
    controllers,
  }).compile();
  return app.init();
}

/** What the handlers of `orders` have heard when all have heard. */
async function told(): Promise<string[]> {
  await app!.get(Channels).broadcast('orders', {});
  await app!.get(Channels).broadcast('end', {});
  await eventually(() => heard.includes('end'), { lastSeen: () => heard });
  return heard.filter((who) => who !== 'end').sort();
}

@Injectable()
class End {
  @Channel('end')
  end(): void {
    heard.push('end');
  }
}

abstract class Base {
  abstract readonly name: string;

  @Channel('orders')
  take(): void {
    heard.push(this.name);
  }
}

@Injectable()
class Orders extends Base {
  readonly name: string = 'class';
}

class Made extends Base {
  constructor(readonly name: string) {
    super();
  }
}

@Service({ name: 'till', capabilities: ['cash'] })
class Till {
  @Callable()
  count(): number {
    return 1;
  }
}

/** Nest itself bears no value whose properties cannot be read. */
const hostile: unknown = new Proxy(
  {},
  {
    getPrototypeOf: () => {
      throw new Error('no');
    },
  },
);

const mixin = (name: string): Type<Base> => {
  class Mixed extends Base {
    readonly name = name;
  }
  return Mixed;
};

describe('@Channel', () => {
  it.each<[string, Provider[], string[]]>([
    ['a class', [Orders], ['class']],
    ['a factory', [{ provide: 'made', useFactory: () => new Made('factory') }], ['factory']],
    ['an asynchronous factory', [{ provide: 'made', useFactory: async () => new Made('later') }], ['later']],
    ['a value', [{ provide: 'made', useValue: new Made('value') }], ['value']],
    ['a class under a token', [{ provide: 'made', useClass: Orders }], ['class']],
    ['a class under two tokens', [Orders, { provide: 'second', useClass: Orders }], ['class', 'class']],
    ['an alias', [Orders, { provide: 'alias', useExisting: Orders }], ['class']],
    [
      'a factory that hands on another provider',
      [Orders, { provide: 'same', inject: [Orders], useFactory: (orders: Orders) => orders }],
      ['class'],
    ],
    ['two mixins', [mixin('left'), mixin('right')], ['left', 'right']],
    [
      'values of every kind beside it',
      [
        Orders,
        ...[null, undefined, 5, 'text', Object.create(null), () => 5, Made, hostile].map((value: unknown, index) => ({
          provide: `value-${index}`,
          useFactory: () => value,
        })),
      ],
      ['class'],
    ],
  ])('of %s is heard once for each object', async (_shape, providers, expected) => {
    await boot(providers);
    expect(await told()).toEqual(expected);
  });

  it('of a controller is heard', async () => {
    await boot([], [], [Orders]);
    expect(await told()).toEqual(['class']);
  });

  it('of a dynamic module that is registered twice is heard by both', async () => {
    const register = (name: string) => ({
      module: class Feature {},
      providers: [{ provide: 'made', useValue: new Made(name) }],
    });
    await boot([], [register('one') as unknown as Type, register('two') as unknown as Type]);
    expect(await told()).toEqual(['one', 'two']);
  });

  it('of two classes that need each other is heard', async () => {
    @Injectable()
    class Left extends Base {
      readonly name = 'left';
      constructor(@Inject(forwardRef(() => Right)) readonly right: Base) {
        super();
      }
    }
    @Injectable()
    class Right extends Base {
      readonly name = 'right';
      constructor(@Inject(forwardRef(() => Left)) readonly left: Base) {
        super();
      }
    }
    await boot([Left, Right]);
    expect(await told()).toEqual(['left', 'right']);
  });

  it.each<[string, () => Type, RegExp]>([
    [
      'request-scoped',
      () => scoped(Scope.REQUEST),
      /^@Channel of the class Scoped has no effect: the class is request-scoped/,
    ],
    [
      'transient',
      () => scoped(Scope.TRANSIENT),
      /^@Channel of the class Scoped has no effect: .* transient\. .* default scope\.$/,
    ],
    [
      'what depends on a request',
      () => {
        @Injectable()
        class Bound extends Orders {
          constructor(@Inject(REQUEST) readonly request: unknown) {
            super();
          }
        }
        return Bound;
      },
      /^@Channel of the class Bound has no effect: .*depends on something that is/,
    ],
  ])('of a class that is %s fails the start', async (_shape, make, message) => {
    const error = await boot([make()]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DeclarationError);
    expect((error as Error).message).toMatch(message);
  });
});

function scoped(scope: Scope): Type {
  @Injectable({ scope })
  class Scoped extends Orders {}
  return Scoped;
}

describe('@Service', () => {
  it.each<[string, Provider[], number]>([
    ['a class', [Till], 1],
    ['a factory', [{ provide: 'made', useFactory: () => new Till() }], 1],
    ['a value', [{ provide: 'made', useValue: new Till() }], 1],
    ['a class under two tokens', [Till, { provide: 'second', useClass: Till }], 2],
    ['an alias', [Till, { provide: 'alias', useExisting: Till }], 1],
  ])('of %s is found and called', async (_shape, providers, count) => {
    const mesh = (await boot(providers)).get(ServiceMesh);
    expect(await mesh.discoverServices({ name: 'till' })).toHaveLength(count);
    expect(await mesh.call('till', 'count')).toBe(1);
  });

  it.each([Scope.REQUEST, Scope.TRANSIENT])('of a class of scope %p fails the start', async (scope) => {
    @Service({ name: 'brief' })
    @Injectable({ scope })
    class Brief {}
    await expect(boot([Brief])).rejects.toThrow(/^@Service of the class Brief has no effect/);
  });
});

describe('@Singleton', () => {
  @Singleton({ name: 'ledger' })
  class Ledger {}

  it.each<[string, Provider[]]>([
    ['a class', [Ledger]],
    ['a class under a token', [{ provide: 'ledger', useClass: Ledger }]],
    ['a class under two tokens', [Ledger, { provide: 'second', useClass: Ledger }]],
    ['an alias', [Ledger, { provide: 'alias', useExisting: Ledger }]],
    ['a class and a factory', [Ledger, { provide: 'made', useFactory: () => new Ledger() }]],
  ])('of %s runs once', async (_shape, providers) => {
    const processes = (await boot(providers)).get(ProcessManager);
    await eventually(async () => (await processes.list()).every(({ state }) => state === 'running'));
    expect((await processes.list()).map(({ name }) => name)).toEqual(['ledger']);
  });

  it.each<[string, Provider]>([
    ['a factory', { provide: 'made', useFactory: () => new Ledger() }],
    ['a value', { provide: 'made', useValue: new Ledger() }],
  ])('of %s fails the start', async (_shape, provider) => {
    const error = await boot([provider]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ProcessDeclarationError);
    expect((error as Error).message).toMatch(/class Ledger .* a factory or a value .*providers: \[Ledger\]\.$/);
  });
});
