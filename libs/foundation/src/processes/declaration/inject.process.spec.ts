import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { injectedProcesses, InjectProcess, InjectSingleton } from './inject.process.js';
import { Singleton } from './process.decorators.js';

class Feed {}

describe('InjectProcess', () => {
  it('remembers the class under the name of its process, once', () => {
    @Singleton({ name: 'named-feed' })
    class Named {}
    class Plain {}
    const before = injectedProcesses().size;
    class Consumer {
      constructor(
        @InjectProcess(Named) readonly one: unknown,
        @InjectSingleton(Named) readonly again: unknown,
        @InjectProcess(Plain) readonly plain: unknown,
      ) {}
    }
    expect(Consumer).toBeDefined();
    const injected = injectedProcesses();
    expect(injected.size).toBe(before + 2);
    expect(injected.get(Symbol.for('foundation:remote:named-feed'))).toBe(Named);
    expect(injected.get(Symbol.for('foundation:remote:Plain'))).toBe(Plain);
  });

  it('injects by that token', () => {
    class Consumer {
      constructor(@InjectProcess(Feed) readonly feed: unknown) {}
    }
    const tokens: unknown = Reflect.getMetadata('self:paramtypes', Consumer);
    expect(tokens).toEqual([{ index: 0, param: Symbol.for('foundation:remote:Feed') }]);
  });
});
