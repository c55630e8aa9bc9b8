// Work begins after everybody's bootstrap: what processes, handlers and services need is there by then.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, type OnApplicationBootstrap, type Provider } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Callable,
  Channel,
  Channels,
  FoundationModule,
  type OnProcessStart,
  ProcessManager,
  Service,
  ServiceMesh,
  Singleton,
} from 'nestjs-foundation';
import { eventually } from 'nestjs-foundation/testing';
import { Early } from '../support/early.js';

let app: TestingModule | undefined;
let journal: string[] = [];
afterEach(async () => {
  await app?.close();
  app = undefined;
  journal = [];
});

async function boot(providers: Provider[]): Promise<TestingModule> {
  const channels = { names: { said: {}, paid: { durable: { retryAfter: 100 } } } };
  app = await Test.createTestingModule({ imports: [FoundationModule.forRoot({ channels })], providers }).compile();
  return app.init();
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 150));

@Singleton({ name: 'feed' })
class Feed implements OnProcessStart {
  onProcessStart(): void {
    journal.push('process');
  }
}

@Service({ name: 'till' })
class Till {
  @Callable()
  count(): number {
    return 7;
  }
}

@Injectable()
class Listener {
  @Channel('said')
  said(message: string): void {
    journal.push(`said ${message}`);
  }

  @Channel('paid', { group: 'books' })
  paid(message: string): void {
    journal.push(`paid ${message}`);
  }
}

@Injectable()
class Prices implements OnApplicationBootstrap {
  constructor(
    @Inject(Channels) private readonly channels: Channels,
    @Inject(ServiceMesh) private readonly mesh: ServiceMesh,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    journal.push('bootstrap begins');
    await this.channels.broadcast('said', 'early');
    await this.channels.broadcast('paid', 'early');
    await turn();
    journal.push(`services ${(await this.mesh.discoverServices({ name: 'till' })).length}`, 'bootstrap ends');
  }
}

describe('Work', () => {
  it('begins after the last bootstrap hook, with what came before', async () => {
    const { length } = ['begins', 'services', 'ends'];
    await boot([Feed, Till, Listener, Prices]);
    const all = [...journal];
    await eventually(() => journal.length >= length + 3, { lastSeen: () => journal });
    expect(all.slice(0, length)).toEqual(['bootstrap begins', 'services 0', 'bootstrap ends']);
    expect(journal.slice(length).sort()).toEqual(['paid early', 'process', 'said early']);
    expect(await app!.get(ServiceMesh).call('till', 'count')).toBe(7);
  });

  it('of a process that a bootstrap hook starts by name begins at once, and of no other', async () => {
    @Injectable()
    class Worker implements OnProcessStart {
      onProcessStart(): void {
        journal.push('worker');
      }
    }
    @Injectable()
    class Starter implements OnApplicationBootstrap {
      constructor(@Inject(ProcessManager) private readonly processes: ProcessManager) {}
      async onApplicationBootstrap(): Promise<void> {
        await this.processes.startSingleton(Worker);
        await turn();
        journal.push('started');
      }
    }
    await boot([Feed, Worker, Starter]);
    await eventually(() => journal.length === 3, { lastSeen: () => journal });
    expect(journal).toEqual(['worker', 'started', 'process']);
  });

  it('of messages ends with a start that fails, at once', async () => {
    @Injectable()
    class Broken implements OnApplicationBootstrap {
      constructor(@Inject(Channels) private readonly channels: Channels) {}
      async onApplicationBootstrap(): Promise<void> {
        await this.channels.broadcast('said', 'early');
        throw new Error('no database');
      }
    }
    await expect(boot([Listener, Broken])).rejects.toThrow('no database');
    await app!.close();
    expect(journal).toEqual([]);
  });
});

describe('a hook that comes too early', () => {
  it('is told at once that the cluster comes after onModuleInit, whatever it asks for', async () => {
    const module = await boot([Early, Listener]);
    const early = module.get(Early);
    expect(early.said).toEqual(Array<string>(8).fill('FOUNDATION_NOT_READY'));
    expect(early.tookMs).toBeLessThan(2000);
    await module.get(Channels).broadcast('said', 'in time');
  });
});
