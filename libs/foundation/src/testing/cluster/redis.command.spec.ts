import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { render, sendCommand } from './redis.command.js';

let server: Server;
const heard: string[] = [];
afterEach(() => {
  server.close();
  heard.length = 0;
});

/** A server that answers with these pieces, whatever it is asked. */
async function answering(...pieces: string[]): Promise<number> {
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (data) => {
      heard.push(data.toString());
      pieces.forEach((piece, index) => setTimeout(() => socket.write(piece), index * 5));
      if (pieces.length === 0) socket.end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('a command to Redis', () => {
  it.each<[string[], unknown]>([
    [['+OK\r\n'], 'OK'],
    [[':12\r\n'], 12],
    [['$-1\r\n'], null],
    [['*-1\r\n'], null],
    [['$2\r\n', 'ü\r', '\n'], 'ü'],
    [
      ['*3\r\n$1\r\na', '\r\n*1\r\n:1\r\n', '-ERR no\r\n'],
      ['a', [1], 'ERR no'],
    ],
    [['*0\r\n'], []],
  ])('reads %j', async (pieces, reply) => {
    expect(await sendCommand({ port: await answering(...pieces) }, ['GET', 'ä'])).toEqual(reply);
    expect(heard).toEqual(['*2\r\n$3\r\nGET\r\n$2\r\nä\r\n']);
  });

  it('logs in first, with a user or without', async () => {
    const port = await answering('+OK\r\n+PONG\r\n');
    expect(await sendCommand({ port, password: 'p' }, ['PING'])).toBe('PONG');
    expect(await sendCommand({ port, password: 'p', user: 'u' }, ['PING'])).toBe('PONG');
    expect(heard.map((text) => text.replaceAll('\r\n', ' '))).toEqual([
      '*2 $4 AUTH $1 p *1 $4 PING ',
      '*3 $4 AUTH $1 u $1 p *1 $4 PING ',
    ]);
  });

  it.each<[string[], RegExp, number]>([
    [['-NOAUTH Authentication required.\r\n'], /^NOAUTH/, 10_000],
    [['HTTP/1.1 400 Bad Request\r\n\r\n'], /no reply of Redis/, 10_000],
    [[], /closed the connection/, 10_000],
    [['$5\r\nab'], /did not answer in 100 ms/, 100],
  ])('rejects with what came instead: %j', async (pieces, says, timeout) => {
    await expect(sendCommand({ port: await answering(...pieces) }, ['PING'], timeout)).rejects.toThrow(says);
  });

  it('is shown as redis-cli shows it', () => {
    expect([render('a'), render(1), render(null), render(['a', ['b', null]])]).toEqual(['a', '1', '', 'a\nb\n']);
  });
});
