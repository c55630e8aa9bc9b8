import { join } from 'node:path';
import { eventually, TestCluster, type TestNode } from 'nestjs-foundation/testing';
import { io } from 'socket.io-client';

const connect = ({ url }: TestNode) => io(url, { transports: ['websocket'], forceNew: true });

it('reaches everybody in the room, whatever node they are connected to', async () => {
  await using cluster = await TestCluster.start({ cwd: join(import.meta.dirname, '..'), nodes: ['a', 'b'] });
  const [ann, bob] = [connect(cluster.node('a')), connect(cluster.node('b'))];
  const heard: object[] = [];
  bob.on('said', (words: object) => heard.push(words));
  await ann.timeout(10_000).emitWithAck('join', { room: 'tea', name: 'Ann' });
  await bob.timeout(10_000).emitWithAck('join', { room: 'tea', name: 'Bob' });
  await eventually(async () => {
    const names = (await ann.timeout(10_000).emitWithAck('who', 'tea')) as string[];
    return names.length === 2;
  });
  ann.emit('say', { room: 'tea', text: 'a cup?' });
  await eventually(() => heard.length > 0);
  expect(heard).toEqual([{ name: 'Ann', text: 'a cup?' }]);
  ann.close();
  bob.close();
}, 60_000);
