import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { getProcessToken, InjectProcess, InjectSingleton } from './inject.process.js';
import { Singleton } from './process.decorators.js';
import { injectableProcesses, lateProcesses } from './process.tokens.js';

class Feed {}

const tokensOf = (type: Type): unknown => Reflect.getMetadata('self:paramtypes', type);

describe('InjectProcess', () => {
  it('makes the calls of its class injectable, once', () => {
    class Plain {}
    const before = injectableProcesses().size;
    class Consumer {
      constructor(
        @InjectProcess(Plain) readonly one: unknown,
        @InjectSingleton(Plain) readonly again: unknown,
      ) {}
    }
    expect(Consumer).toBeDefined();
    expect(injectableProcesses().size).toBe(before + 1);
    expect(injectableProcesses().has(Plain)).toBe(true);
  });

  it('injects by the token of the class', () => {
    class Consumer {
      constructor(@InjectProcess(Feed) readonly feed: unknown) {}
    }
    expect(tokensOf(Consumer)).toEqual([{ index: 0, param: getProcessToken(Feed) }]);
  });

  it('takes a function for a class that is not loaded yet', () => {
    class Consumer {
      constructor(@InjectProcess(() => Later) readonly feed: unknown) {}
    }
    class Later {}
    const [{ param }] = tokensOf(Consumer) as [{ param: symbol }];
    expect(lateProcesses().get(param)?.()).toBe(Later);
  });

  it('refuses what is no class, with what to write where files import each other', () => {
    expect(() => InjectSingleton(undefined as unknown as Type)).toThrow(
      /received undefined.*, expected a class; where files import each other.*@InjectSingleton\(\(\) => Feed\)/,
    );
  });
});

describe('The token of a process', () => {
  it('is that of its class, also beside another class of the same name', () => {
    const make = (): Type => {
      @Singleton({ name: 'feed' })
      class Named {}
      return Named;
    };
    const [one, other] = [make(), make()];
    expect(getProcessToken(one)).toBe(getProcessToken(one));
    expect(getProcessToken(one)).not.toBe(getProcessToken(other));
    expect(injectableProcesses().has(one)).toBe(true);
  });

  it('is not that of a class that it extends', () => {
    class Sub extends Feed {}
    expect(getProcessToken(Sub)).not.toBe(getProcessToken(Feed));
  });
});
