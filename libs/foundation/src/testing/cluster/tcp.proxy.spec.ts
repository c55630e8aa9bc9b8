import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { eventually } from '../eventually.js';
import { type ProxyMode, TcpProxy } from './tcp.proxy.js';

let server: Server;
let proxy: TcpProxy;
let client: Socket;
let answered = '';

beforeEach(async () => {
  server = createServer((socket) => void socket.on('error', () => undefined).pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await TcpProxy.open((server.address() as AddressInfo).port);
  client = connect(proxy.port, '127.0.0.1').setNoDelay(true);
  answered = '';
  client.on('data', (chunk) => (answered += String(chunk)));
  client.on('error', () => undefined);
  await once(client, 'connect');
});

afterEach(async () => {
  client.destroy();
  await proxy.close();
  server.close();
});

describe('what a proxy holds back', () => {
  it.each<[ProxyMode[]]>([
    [[300, 'ok']],
    [[300, 20]],
    [[300, 'blackhole', 'ok']],
    [['noreply', 300, 'ok']],
    [['norequest', 20, 300, 0]],
  ])('is never overtaken by what comes after it: modes %j', async (modes) => {
    let said = '';
    for (const [index, mode] of modes.entries()) {
      proxy.mode = mode;
      client.write(`${index},`);
      said += `${index},`;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => answered.length === said.length, {
      what: 'All of it',
      timeout: 10_000,
      lastSeen: () => answered,
    });
    expect(answered).toBe(said);
  });

  it('comes at once when a delay ends', async () => {
    proxy.mode = 60_000;
    client.write('late');
    await eventually(() => client.bytesWritten === 4, { what: 'Written' });
    proxy.mode = 'ok';
    await eventually(() => answered === 'late', { what: 'The answer', timeout: 10_000, lastSeen: () => answered });
  });
});
