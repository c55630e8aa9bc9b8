// UDP on the loopback interface.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** A port of 127.0.0.1 that nobody listens on just now. */
export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Sends packets to a multicast group of the loopback interface, or to an address of it, as anybody can. */
export async function sendLocally(port: number, to: string, ...packets: readonly Buffer[]): Promise<void> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.setMulticastInterface('127.0.0.1');
  socket.setMulticastTTL(0);
  for (const packet of packets) {
    await new Promise<void>((resolve, reject) => {
      socket.send(packet, port, to, (error) => (error === null ? resolve() : reject(error)));
    });
  }
  socket.close();
}
