// An application with a gateway on every node, for the specs that kill one of them.
import 'reflect-metadata';
import { type BeforeApplicationShutdown, Injectable, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SubscribeMessage, WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import { FoundationModule } from 'nestjs-foundation';
import { FoundationIoAdapter } from 'nestjs-foundation/socket.io';
import type { Server, Socket } from 'socket.io';

@WebSocketGateway()
export class Gateway {
  @WebSocketServer() server!: Server;

  @SubscribeMessage('join')
  async join(socket: Socket, room: string): Promise<string> {
    await socket.join(room);
    return room;
  }
}

/** What the spec has a node do; each says how long it took. */
@Injectable()
export class Verbs implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #isHeld = false;
  #release = (): void => undefined;
  #drained = 0;

  constructor(private readonly gateway: Gateway) {}

  onApplicationBootstrap(): void {
    this.gateway.server.on('drained' as never, (() => (this.#drained += 1)) as never);
    this.gateway.server.on('release' as never, (() => this.#release()) as never);
  }

  /** By then Foundation has drained this node, and its server is still open. */
  async beforeApplicationShutdown(): Promise<void> {
    if (!this.#isHeld) return;
    const released = new Promise<void>((resolve) => (this.#release = resolve));
    this.gateway.server.serverSideEmit('drained');
    await released;
  }

  /** Its server closes once another node says so. */
  hold(): void {
    this.#isHeld = true;
  }

  drained(): number {
    return this.#drained;
  }

  release(): boolean {
    return this.gateway.server.serverSideEmit('release');
  }

  async servers(): Promise<number> {
    return this.gateway.server.of('/').adapter.serverCount();
  }

  async ask(timeout: number): Promise<Timed> {
    return timed(() => this.gateway.server.timeout(timeout).emitWithAck('name?'));
  }

  async fetch(timeout: number): Promise<Timed> {
    const sockets = async () => (await this.gateway.server.timeout(timeout).fetchSockets()).map(({ id }) => id);
    return timed(sockets);
  }

  async query(): Promise<Timed> {
    return timed(() => this.gateway.server.serverSideEmitWithAck('who?'));
  }

  answer(): void {
    const listener = (answer: (pid: number) => void): void => answer(process.pid);
    this.gateway.server.on('who?' as never, listener as never);
  }

  toRoom(room: string, event: string): boolean {
    return this.gateway.server.to(room).emit(event);
  }
}

export interface Timed {
  value?: unknown;
  error?: string;
  ms: number;
}

async function timed(work: () => Promise<unknown>): Promise<Timed> {
  const began = performance.now();
  try {
    return { value: await work(), ms: performance.now() - began };
  } catch (error) {
    return { error: (error as Error).message, ms: performance.now() - began };
  }
}

@Module({ imports: [FoundationModule.forRoot({ cluster: true })], providers: [Gateway, Verbs] })
class AppModule {}

const app = await NestFactory.create(AppModule);
app.useWebSocketAdapter(new FoundationIoAdapter(app));
app.enableShutdownHooks();
await app.listen(Number(process.env['PORT']), '127.0.0.1');
