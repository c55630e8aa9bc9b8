// The view of the members is read whole once and then by what has changed, beside nodes of the version before, which
// write no log of their changes.
import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { NodeRecord } from '../../libs/foundation/src/backend/directory/directory.js';
import { Loads } from '../../libs/foundation/src/backend/directory/load.hints.js';
import { RedisNodeDirectory } from '../../libs/foundation/src/backend/directory/redis.directory.js';
import { resolve } from '../../libs/foundation/src/config/resolve.js';
import { createSigner } from '../../libs/foundation/src/security/signer.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { closeLater, onOwnRedis } from './fixture.js';

let server: RedisServer;
let keys: Keys;

onOwnRedis((ground) => ({ server, keys } = ground));

function directory(client: Redis, now = () => performance.now()): RedisNodeDirectory {
  const config = resolve({ cluster: true }, {}, { host: 'h', pid: 1 });
  const seal = createSigner('any', undefined);
  return new RedisNodeDirectory({
    client,
    control: client,
    keys,
    config,
    seal,
    loads: new Loads(seal, keys.hints),
    now,
  });
}

function record(name: string, load = 0): NodeRecord {
  return {
    ...{ name, bootId: `boot-${name}`, host: 'h', pid: 1, version: '1', state: 'up' as const, classes: [], load },
    ...{ lag: 0, labels: {}, replicas: {}, listens: {}, leaseServers: 1, joinedAt: 0 },
  };
}

describe('The view of the members', () => {
  const setUp = () => {
    const client = new Redis(server.adminUrl);
    closeLater(() => client.quit());
    let now = 0;
    const [writer, reader] = [directory(client), directory(client, () => now)];
    return { client, writer, reader, later: (ms: number) => (now += ms) };
  };

  it('brings what has changed, and nothing else', async () => {
    const { writer, reader } = setUp();
    for (const name of ['a', 'b', 'c']) await writer.join(record(name));
    const first = await reader.view(0);
    expect(first.changed).toBeUndefined();
    await writer.beat('b', 'boot-b', { record: record('b', 7), changed: true });
    await writer.leave('c', 'boot-c');
    const next = await reader.view(first.version);
    expect([...next.changed!].sort()).toEqual(['b', 'c']);
    expect(next.members.map(({ name, load }) => [name, load]).sort()).toEqual([
      ['a', 0],
      ['b', 7],
    ]);
    const of = ({ members }: typeof next) => members.find(({ name }) => name === 'a');
    expect(of(next)).toBe(of(first));
    expect((await reader.view(next.version)).changed).toEqual(new Set());
  });

  it('is read whole after a change that has no line in the log', async () => {
    const { client, writer, reader } = setUp();
    for (const name of ['a', 'b']) await writer.join(record(name));
    const first = await reader.view(0);
    // As a node of the version before does it: the record and the version, no log.
    await client.hdel(keys.nodes, 'a');
    await client.incr(keys.view);
    await writer.beat('b', 'boot-b', { record: record('b', 3), changed: true });
    const next = await reader.view(first.version);
    expect(next.changed).toBeUndefined();
    expect(next.members).toMatchObject([{ name: 'b', load: 3 }]);
    // And by the log again from there on.
    await writer.join(record('c'));
    expect([...(await reader.view(next.version)).changed!]).toEqual(['c']);
  });

  it('is read whole by who is further behind than the log, and from time to time', async () => {
    const { client, writer, reader, later } = setUp();
    await writer.join(record('a'));
    const first = await reader.view(0);
    for (let load = 1; load <= 130; load++)
      await writer.beat('a', 'boot-a', { record: record('a', load), changed: true });
    expect(await client.zcard(keys.nodeChanges)).toBeLessThanOrEqual(128);
    const next = await reader.view(first.version);
    expect(next.changed).toBeUndefined();
    expect(next.members[0]!.load).toBe(130);
    later(60_001);
    await writer.join(record('b'));
    expect((await reader.view(next.version)).changed).toBeUndefined();
  });

  it('takes no line of the log for a member that is there', async () => {
    const { client, writer, reader } = setUp();
    await writer.join(record('a'));
    const { version } = await reader.view(0);
    await client.zadd(keys.nodeChanges, version + 1, 'nonsense');
    await client.set(keys.view, version + 1);
    expect((await reader.view(version)).members.map(({ name }) => name)).toEqual(['a']);
  });
});
