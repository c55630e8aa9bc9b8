// Where the cases of Nest's microservices run: Nest's own Redis transport as the control, and Foundation over each of
// its transports. An application with HTTP and a microservice answers; the client is on another node if there is one.
import 'reflect-metadata';
import { expect } from '@jest/globals';
import { type DynamicModule, type INestApplication, type INestMicroservice, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type ClientProxy,
  ClientRedis,
  type MicroserviceOptions,
  type RedisOptions,
  Transport,
} from '@nestjs/microservices';
import { Channels, FoundationModule, type FoundationOptions, Membership } from 'nestjs-foundation';
import { FoundationClient, FoundationStrategy } from 'nestjs-foundation/microservices';
import { eventually } from '../../../libs/foundation/src/testing/eventually.js';
import type { RedisServer } from '../../support/redis-server.js';
import { REDIS_PASSWORD, secret } from '../../support/secrets.js';
import { boot, CapturedLog, closeLater, freshName, LEASE, MEMBERSHIP, settle } from '../fixture.js';

/** How packets are written and read. */
export type Wires = Pick<NonNullable<RedisOptions['options']>, 'serializer' | 'deserializer'>;
type ClientClass = new (options: object) => ClientProxy;

export interface Sides {
  app: INestApplication;
  microservice: INestMicroservice;
  client: ClientProxy;
  /** One more client, of a class derived from what it would have been. */
  clientOf(options?: Wires, derive?: (base: ClientClass) => ClientClass): ClientProxy;
  /** One more microservice of the application, which answers and hears the same. */
  beside(): Promise<INestMicroservice>;
}

export interface Given {
  controllers: Type[];
  wires?: Wires;
  /** Gets what `ClientsModule.registerAsync` needs. */
  imports?: (registration: { inject: Type[]; useFactory: never }) => DynamicModule[];
  /** Called before the microservice is connected, which takes what is global from the application. */
  prepare?: (app: INestApplication) => unknown;
}

export const CONTROL = 'Transport.REDIS';
export const KINDS = [CONTROL, 'Foundation over redis', 'Foundation over direct', 'Foundation, local'] as const;
export type Kind = (typeof KINDS)[number];

const COOKIE = secret('a cookie of the sides of Nest');

export const openSides = (kind: Kind, server: RedisServer, given: Given): Promise<Sides> =>
  kind === CONTROL ? openControl(server, given) : openFoundation(kind, server, given);

async function openControl(server: RedisServer, given: Given): Promise<Sides> {
  const options = { host: '127.0.0.1', port: server.port, password: REDIS_PASSWORD };
  const transport = { transport: Transport.REDIS, options: { ...options, ...given.wires } };
  const imports = given.imports?.({
    inject: [],
    useFactory: (() => ({ transport: Transport.REDIS, options })) as never,
  });
  const { app, add } = await hybrid(imports ?? [], given);
  const microservice = await add(transport);
  await app.listen(0, '127.0.0.1');
  const clientOf: Sides['clientOf'] = (wires = {}, derive = (base) => base) =>
    closing(new (derive(ClientRedis as unknown as ClientClass))({ ...options, ...wires }));
  return { app, microservice, client: clientOf(), clientOf, beside: () => add(transport) };
}

async function openFoundation(kind: Kind, server: RedisServer, given: Given): Promise<Sides> {
  const appName = freshName('nest');
  const direct = { transport: { kind: 'direct', host: '127.0.0.1' }, security: { cookie: COOKIE } } as const;
  const more: FoundationOptions = kind === 'Foundation over direct' ? direct : {};
  const isLocal = kind === 'Foundation, local';
  if (!isLocal) await settle(server, appName);
  const cluster = {
    cluster: true,
    redis: server.url,
    lease: LEASE,
    membership: MEMBERSHIP,
    nodeName: freshName('node'),
  };
  const imports = given.imports?.({
    inject: [Channels],
    useFactory: ((channels: Channels) => ({ customClass: FoundationClient, options: { channels } })) as never,
  });
  const module = FoundationModule.forRoot({ appName, ...(isLocal ? {} : { ...cluster, ...more }) });
  const { app, add } = await hybrid([module, ...(imports ?? [])], given);
  const transport = () => ({ strategy: new FoundationStrategy(app.get(Channels), given.wires) });
  const microservice = await add(transport());
  await app.listen(0, '127.0.0.1');
  let channels = app.get(Channels);
  if (!isLocal) {
    const asking = await boot(server.url, appName, [], more);
    const members = () => asking.app.get(Membership).members();
    await eventually(() => members().length === 2, { what: 'Both sides', lastSeen: members });
    channels = asking.app.get(Channels);
  }
  const clientOf: Sides['clientOf'] = (wires = {}, derive = (base) => base) =>
    closing(new (derive(FoundationClient as unknown as ClientClass))({ channels, ...wires }));
  return { app, microservice, client: clientOf(), clientOf, beside: () => add(transport()) };
}

const closing = (client: ClientProxy): ClientProxy => {
  closeLater(async () => void (await client.close()));
  return client;
};

/** An application that takes microservices. */
async function hybrid(imports: DynamicModule[], { controllers, prepare }: Given) {
  @Module({ imports, controllers })
  class Root {}
  const app = await NestFactory.create(Root, { logger: new CapturedLog() });
  // The Redis transport of Nest cannot be closed twice, as a microservice is that was closed before its application.
  closeLater(() => app.close().catch((error: Error) => expect(error.message).toBe('Connection is closed.')));
  prepare?.(app);
  await app.init();
  const add = async (options: object): Promise<INestMicroservice> => {
    const microservice = app.connectMicroservice<MicroserviceOptions>(options, {
      inheritAppConfig: true,
    });
    await microservice.listen();
    return microservice;
  };
  return { app, add };
}
