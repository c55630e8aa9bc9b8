// The ways in which Nest makes clients of microservices, with ours: each works, or says at once what it needs.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Injectable } from '@nestjs/common';
import {
  Client,
  type ClientOptions,
  ClientProxy,
  ClientProxyFactory,
  ClientsModule,
  MessagePattern,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { ArgumentError, Channels, FoundationModule } from 'nestjs-foundation';
import { FoundationClient, FoundationStrategy } from 'nestjs-foundation/microservices';
import { lastValueFrom } from 'rxjs';

@Controller()
class Sums {
  @MessagePattern('sum')
  sum(numbers: number[]): number {
    return numbers.reduce((sum, each) => sum + each, 0);
  }
}

let close: (() => Promise<unknown>) | undefined;
afterEach(async () => {
  await close?.();
  close = undefined;
});

async function boot(imports: Parameters<typeof Test.createTestingModule>[0]['imports'] = [], providers: never[] = []) {
  const module = await Test.createTestingModule({
    imports: [FoundationModule.forRoot(), ...imports],
    controllers: [Sums],
    providers,
  }).compile();
  const app = module.createNestApplication();
  close = () => app.close();
  app.connectMicroservice({ strategy: new FoundationStrategy(app.get(Channels)) });
  await app.startAllMicroservices();
  return app.init();
}

describe('a client of Foundation', () => {
  it('is made by ClientsModule.registerAsync', async () => {
    const useFactory = (channels: Channels) => ({ customClass: FoundationClient, options: { channels } });
    const clients = [{ name: 'SUMS', inject: [Channels], useFactory }];
    const app = await boot([ClientsModule.registerAsync({ clients })]);
    expect(await lastValueFrom(app.get<ClientProxy>('SUMS').send('sum', [1, 2]))).toBe(3);
  });

  it('is made by ClientProxyFactory.create', async () => {
    const app = await boot();
    const options = { customClass: FoundationClient, options: { channels: app.get(Channels) } };
    expect(await lastValueFrom(ClientProxyFactory.create(options).send('sum', [1, 2, 3]))).toBe(6);
  });

  it('says what it needs where @Client makes it, which cannot inject', async () => {
    @Injectable()
    class Caller {
      @Client({ customClass: FoundationClient } as ClientOptions)
      readonly client!: ClientProxy;
    }
    const starting = boot([], [Caller as never]);
    await expect(starting).rejects.toBeInstanceOf(ArgumentError);
    await expect(starting).rejects.toThrow(
      /invalid argument "channels": received undefined.*ClientsModule.registerAsync/,
    );
  });

  it.each([undefined, null, {}, 'events', []])('is refused without the Channels of an application (%p)', (channels) => {
    expect(() => new FoundationClient({ channels } as never)).toThrow(ArgumentError);
    expect(() => new FoundationStrategy(channels as never)).toThrow(ArgumentError);
    expect(() => new FoundationClient(channels as never)).toThrow(ArgumentError);
  });
});
