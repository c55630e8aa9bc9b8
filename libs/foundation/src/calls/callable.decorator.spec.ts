import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { ArgumentError } from '../errors/config.errors.js';
import { Callable, CALLABLE_METADATA, callableOf, type CallableOptions, dropsGuards } from './callable.decorator.js';

class Base {
  @Callable()
  inherited(): string {
    return 'base';
  }
  @Callable({ idempotent: true, timeout: 50 })
  overridden(): string {
    return 'base';
  }
  unmarked(): void {}
}

class Feed extends Base {
  readonly own = () => 'no method of the prototype';
  lastPrice = 5;

  @Callable({ idempotent: true, timeout: 100 })
  price(): number {
    return this.lastPrice;
  }
  @Callable()
  async later(): Promise<number> {
    return this.lastPrice;
  }
  override overridden(): string {
    return 'feed';
  }
  onProcessStart(): void {}
}

const of = (method: string, prototype: unknown = Feed.prototype) => callableOf(prototype, method);

describe('Callable', () => {
  it('marks a method with its options and leaves it as it is', () => {
    expect(of('price')).toEqual({ idempotent: true, timeout: 100 });
    expect(of('later')).toEqual({});
    expect(Reflect.getMetadata(CALLABLE_METADATA, Feed.prototype.price)).toEqual({ idempotent: true, timeout: 100 });
    expect(new Feed().price()).toBe(5);
    expect(Object.keys(Feed.prototype)).toEqual([]);
  });

  it('takes the time as every other option does', () => {
    class Timed {
      @Callable({ timeout: '30s' })
      report(): void {}
    }
    expect(of('report', Timed.prototype)).toEqual({ timeout: 30_000 });
  });

  it.each([
    [{ timeout: NaN }, '"timeout": received NaN (number)'],
    [{ timeout: -1 }, '"timeout": received -1 (number)'],
    [{ timeout: Infinity }, '"timeout": received Infinity (number)'],
    [{ timeout: 'soon' }, '"timeout": received "soon" (string)'],
    [{ idempotent: 'yes' }, '"idempotent": received "yes" (string)'],
    [{ idempotnt: true }, 'no such option (known here: idempotent, timeout, args)'],
    [null, 'options'],
  ])('rejects %p where it is written, with the place', (options, received) => {
    const mark = (): void => {
      class Till {
        @Callable(options as CallableOptions)
        charge(): void {}
      }
      void Till;
    };
    expect(mark).toThrow(ArgumentError);
    expect(mark).toThrow('@Callable() Till.charge');
    expect(mark).toThrow(received);
  });

  it('has a key that two copies of the package share', () => {
    expect(CALLABLE_METADATA).toBe(Symbol.for('foundation:callable'));
  });
});

describe('callableOf', () => {
  it('finds marks of the base class', () => {
    expect(of('inherited')).toEqual({});
    expect(of('overridden', Base.prototype)).toEqual({ idempotent: true, timeout: 50 });
  });

  it('carries a mark over to a method that overrides without one', () => {
    expect(of('overridden')).toEqual({ idempotent: true, timeout: 50 });
  });

  it('does not carry it over where guards would be left behind, nor to what is no method', () => {
    class Guarded {
      @Callable()
      pay(): void {}
      @Callable()
      total(): void {}
    }
    Reflect.defineMetadata(
      '__guards__',
      [],
      Object.getOwnPropertyDescriptor(Guarded.prototype, 'pay')!.value as object,
    );
    class Sub extends Guarded {
      override pay(): void {}
    }
    Object.defineProperty(Sub.prototype, 'total', { get: () => undefined });
    expect(of('pay', Guarded.prototype)).toEqual({});
    expect([of('pay', Sub.prototype), of('total', Sub.prototype)]).toEqual([undefined, undefined]);
    expect([dropsGuards(Sub.prototype, 'pay'), dropsGuards(Guarded.prototype, 'pay')]).toEqual([true, false]);
  });

  it('finds the same for an instance through its prototype', () => {
    expect(of('price', Object.getPrototypeOf(new Feed()))).toBeDefined();
  });

  it.each([
    ...['unmarked', 'onProcessStart', 'lastPrice', 'own', 'missing', ''],
    ...['constructor', 'toString', 'valueOf', 'hasOwnProperty', '__proto__', '__defineGetter__', 'isPrototypeOf'],
  ])('is undefined for %j', (method) => {
    expect(of(method)).toBeUndefined();
  });

  it.each([[undefined], [null], [5], ['text'], [{}], [Object.create(null) as object], [() => 5]])(
    'is undefined for the prototype %p',
    (prototype) => {
      expect(callableOf(prototype, 'price')).toBeUndefined();
    },
  );

  it('runs no getter', () => {
    let ran = 0;
    class Sly {
      get price(): number {
        ran += 1;
        throw new Error('needs an instance');
      }
    }
    expect(() => callableOf(Sly.prototype, 'price')).not.toThrow();
    expect(ran).toBe(0);
  });
});
