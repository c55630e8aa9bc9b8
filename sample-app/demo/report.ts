/**
 * In a node of the demo: tells the demo over the IPC channel what Foundation's telemetry says, and when.
 * Loaded by `src/main.ts` only when DEMO is set.
 */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { Telemetry } from 'nestjs-foundation';
import { monotonicMs } from './until.js';

/** What a node sends: the event's payload beside its name, and the time on the clock that all processes here share. */
export interface Report {
  at: number;
  event: string;
  [detail: string]: unknown;
}

/** Attaches to the telemetry; call it before the application listens, so that no event is missed. */
export function report(app: INestApplication): void {
  app.get(Telemetry).attach('*', (event, payload) => {
    if (!event.startsWith('message.')) send({ ...payload, at: monotonicMs(), event });
  });
  const server = app.getHttpServer() as Server;
  server.once('listening', () => {
    send({ at: monotonicMs(), event: 'listening', port: (server.address() as AddressInfo).port });
  });
  // The demo is gone, however it went: nothing of it stays behind.
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel?.unref();
}

function send(message: Report): void {
  if (process.connected) process.send?.(message);
}
