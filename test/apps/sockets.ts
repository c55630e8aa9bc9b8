// An application with a gateway on every node, for the specs that kill one of them.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
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
export class Verbs {
  constructor(private readonly gateway: Gateway) {}

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
