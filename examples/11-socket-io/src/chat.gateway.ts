import { SubscribeMessage, WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import type { Server, Socket } from 'socket.io';

/** One on every node; each has the clients that are connected to it. */
@WebSocketGateway()
export class ChatGateway {
  @WebSocketServer() server!: Server;

  @SubscribeMessage('join')
  async join(socket: Socket, { room, name }: { room: string; name: string }) {
    (socket.data as { name: string }).name = name;
    await socket.join(room);
    return 'joined';
  }

  /** To all in the room, whatever node they are connected to. */
  @SubscribeMessage('say')
  say(socket: Socket, { room, text }: { room: string; text: string }) {
    this.server.to(room).emit('said', { name: (socket.data as { name: string }).name, text });
  }

  /** Who is in the room, on all nodes. */
  @SubscribeMessage('who')
  async who(_socket: Socket, room: string) {
    const sockets = await this.server.in(room).fetchSockets();
    return sockets.map(({ data }) => (data as { name: string }).name);
  }
}
