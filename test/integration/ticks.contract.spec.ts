// What is remembered of a cron job, wherever it is kept: one contract for what is in Redis, on one server and on a
// majority of three, and in one process. The ports alone, so that a mutant of them is tried in a second or two.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { LeaseQuorum } from '../../libs/foundation/src/backend/leases/lease.quorum.js';
import { LocalTicks } from '../../libs/foundation/src/backend/leases/local.ticks.js';
import { RedisTicks } from '../../libs/foundation/src/backend/leases/redis.ticks.js';
import { revisionOf, type Ticks } from '../../libs/foundation/src/backend/leases/ticks.js';
import { createSigner } from '../../libs/foundation/src/security/signer.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { keysOf } from '../../libs/foundation/src/wire/keys.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';

const keys = keysOf('app');
/** The first of three. */
let server: RedisServer;
let servers: RedisServer[];
let clients: Redis[];

beforeAll(async () => {
  // Of their own also where the other specs have a topology.
  servers = await Promise.all([1, 2, 3].map(() => startRedis({ args: [] })));
  [server] = servers as [RedisServer];
  clients = servers.map(({ url }) => new Redis(url));
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.quit()));
  await Promise.all(servers.map((each) => each.stop()));
});
beforeEach(() => Promise.all(servers.map((each) => each.cli('FLUSHALL'))));

const onServers = (count: number): Ticks =>
  new RedisTicks(new LeaseQuorum(clients.slice(0, count)), keys, createSigner('app', undefined));

const ADAPTERS: [string, () => Ticks][] = [
  ['in Redis', () => onServers(1)],
  ['on a quorum of three', () => onServers(3)],
  ['in one process', () => new LocalTicks(() => Date.now())],
];

describe.each(ADAPTERS)('what a job remembers, %s', (_where, make) => {
  const tick = Math.floor(Date.now() / 1000) * 1000;

  it('is what its owner wrote last', async () => {
    const ticks = make();
    expect(await ticks.open('job', 5)).toEqual({ claimed: 0, record: '' });
    expect(await ticks.write('job', 5, '{"rev":1}', { at: tick, id: 'a' })).toBe('done');
    expect(await ticks.write('job', 5, '{"rev":2}')).toBe('done');
    expect(await ticks.open('job', 6)).toEqual({ claimed: tick, record: '{"rev":2}' });
    expect(await ticks.read(['none', 'job'])).toEqual(['', '{"rev":2}']);
  });

  it('is written by no owner after a later one has begun', async () => {
    const ticks = make();
    await ticks.open('job', 5);
    await ticks.open('job', 7);
    expect(await ticks.open('job', 6)).toBeUndefined();
    expect(await ticks.write('job', 5, '{"rev":1}')).toBe('stale');
    expect(await ticks.write('job', 5, '{"rev":1}', { at: tick, id: 'a' })).toBe('stale');
    expect(await ticks.open('job', 8)).toEqual({ claimed: 0, record: '' });
  });

  it('lets a time be claimed once, by one claim that may be tried again', async () => {
    const ticks = make();
    await ticks.open('job', 5);
    expect(await ticks.write('job', 5, '{"rev":1}', { at: tick, id: 'a' })).toBe('done');
    expect(await ticks.write('job', 5, '{"rev":1}', { at: tick, id: 'a' })).toBe('done');
    expect(await ticks.write('job', 5, '{"rev":2}', { at: tick, id: 'b' })).toBe('taken');
    expect(await ticks.write('job', 9, '{"rev":2}', { at: tick - 1000, id: 'c' })).toBe('taken');
    expect(await ticks.read(['job'])).toEqual(['{"rev":1}']);
  });

  it('is not written over by what its owner wrote before, and arrives late', async () => {
    const ticks = make();
    await ticks.open('job', 5);
    expect(await ticks.write('job', 5, '{"rev":9,"run":1}', { at: tick, id: 'a' })).toBe('done');
    expect(await ticks.write('job', 5, '{"rev":9,"run":1}', { at: tick, id: 'a' })).toBe('done');
    expect(await ticks.write('job', 5, '{"rev":10}')).toBe('done');
    expect(await ticks.write('job', 5, '{"rev":9,"run":1}', { at: tick, id: 'a' })).toBe('late');
    expect(await ticks.write('job', 5, '{"rev":9,"waiting":1}')).toBe('late');
    expect(await ticks.write('job', 5, '{"rev":9}', { at: tick + 1000, id: 'b' })).toBe('late');
    expect(await ticks.open('job', 6)).toEqual({ claimed: tick, record: '{"rev":10}' });
    // A revision is one of its epoch.
    expect(await ticks.write('job', 7, '{"rev":1}')).toBe('done');
    expect(await ticks.read(['job'])).toEqual(['{"rev":1}']);
  });

  it('lets no time be claimed that is far ahead', async () => {
    const ticks = make();
    await ticks.open('job', 5);
    expect(await ticks.write('job', 5, '{"rev":1}', { at: tick + 3_600_000, id: 'a' })).toBe('early');
    expect(await ticks.open('job', 6)).toEqual({ claimed: 0, record: '' });
  });
});

describe.each(ADAPTERS)('what a job remembers and Redis has lost, %s', (_where, make) => {
  const tick = Math.floor(Date.now() / 1000) * 1000;
  const epoch = tick * 1000 - 60_000_000;
  const kept = { job: 'job', epoch, claimed: tick, record: '{"rev":2}' };

  it('is put back: its times are claimed, its record counts', async () => {
    const ticks = make();
    expect(await ticks.recall(['job'])).toEqual([]);
    await ticks.restore([kept, { ...kept, job: 'other', claimed: 0 }]);
    expect(await ticks.recall(['none', 'other', 'job'])).toEqual([{ ...kept, job: 'other', claimed: 0 }, kept]);
    expect(await ticks.open('job', epoch + 1)).toEqual({ claimed: tick, record: '{"rev":2}' });
    expect(await ticks.write('job', epoch + 1, '{"rev":3}', { at: tick, id: 'b' })).toBe('taken');
    expect(await ticks.write('job', epoch + 1, '{"rev":3}', { at: tick + 1000, id: 'b' })).toBe('done');
  });

  it('is put back over what is earlier, and not over what is later', async () => {
    const ticks = make();
    await ticks.open('job', epoch);
    expect(await ticks.write('job', epoch, '{"rev":1}', { at: tick - 1000, id: 'a' })).toBe('done');
    await ticks.restore([kept]);
    expect(await ticks.recall(['job'])).toEqual([kept]);
    await ticks.restore([{ ...kept, record: '{"rev":1}', claimed: tick - 1000 }]);
    expect(await ticks.recall(['job'])).toEqual([kept]);
    await ticks.open('job', epoch + 1);
    await ticks.restore([{ ...kept, record: '{"rev":9}', claimed: tick + 1000 }]);
    expect(await ticks.recall(['job'])).toEqual([{ ...kept, epoch: epoch + 1 }]);
  });

  it('is put back over what is earlier by its writer, whoever has begun since', async () => {
    const ticks = make();
    const by = (writer: number, rev: number): string => `{"rev":${rev},"by":${writer}}`;
    await ticks.write('job', epoch, by(epoch, 5));
    await ticks.open('job', epoch + 1);
    // The next owner found the fifth, where the sixth was written.
    await ticks.restore([{ ...kept, epoch: epoch + 1, record: by(epoch, 6) }]);
    expect(await ticks.recall(['job'])).toEqual([{ ...kept, epoch: epoch + 1, record: by(epoch, 6) }]);
    // It may have fewer revisions than the one before.
    await ticks.restore([{ ...kept, epoch: epoch + 1, record: by(epoch + 1, 2) }]);
    await ticks.restore([{ ...kept, epoch: epoch + 2, record: by(epoch, 9) }]);
    expect(await ticks.recall(['job'])).toEqual([{ ...kept, epoch: epoch + 2, record: by(epoch + 1, 2) }]);
  });
});

describe.each(ADAPTERS)('what a job has claimed and Redis has lost, %s', (_where, make) => {
  it('is put back beside the last words of its owner, which claim nothing', async () => {
    const tick = Math.floor(Date.now() / 1000) * 1000;
    const epoch = tick * 1000 - 60_000_000;
    const ticks = make();
    // The first that Redis hears after the loss.
    expect(await ticks.write('job', epoch, '{"rev":3}')).toBe('done');
    await ticks.restore([{ job: 'job', epoch, claimed: tick, record: '{"rev":2}' }]);
    expect(await ticks.recall(['job'])).toEqual([{ job: 'job', epoch, claimed: tick, record: '{"rev":3}' }]);
    expect(await ticks.open('job', epoch + 1)).toEqual({ claimed: tick, record: '{"rev":3}' });
    expect(await ticks.write('job', epoch + 1, '{"rev":4}', { at: tick, id: 'b' })).toBe('taken');
    // Not where a later owner has begun in this life of the data.
    await ticks.restore([{ job: 'job', epoch, claimed: tick + 5000, record: '{"rev":9}' }]);
    expect((await ticks.recall(['job']))[0]).toMatchObject({ claimed: tick, record: '{"rev":3}' });
  });
});

describe('what a job remembers on some servers only', () => {
  it('refuses nothing that the next owner writes', async () => {
    const ticks = onServers(3);
    await ticks.open('job', 5);
    await ticks.write('job', 5, '{"rev":1}');
    await server.cli('HSET', keys.cron('job'), 'record', '{"rev":7}', 'epoch', '3');
    const opened = (await ticks.open('job', 6))!;
    expect([opened.record, opened.revision]).toEqual(['{"rev":1}', 7]);
  });

  it('counts by who wrote it, not by who has begun there since', async () => {
    const ticks = onServers(3);
    const [tick, before, last] = [1_700_000_000_000, '{"rev":2,"by":3,"waiting":9}', '{"rev":3,"by":3}'];
    await ticks.open('job', 3);
    await ticks.write('job', 3, before, { at: tick, id: 'a' });
    await ticks.write('job', 3, last);
    // As if the last write had not reached this server, and the first try of the next owner to begin this one alone.
    await server.cli('HSET', keys.cron('job'), 'record', before, 'epoch', '4');
    expect(await ticks.recall(['job'])).toEqual([{ job: 'job', epoch: 4, claimed: tick, record: last }]);
    expect(await ticks.open('job', 4)).toEqual({ claimed: tick, record: last });
    // A claim that this server alone has heard of brings no earlier record with it.
    await server.cli('HSET', keys.cron('job'), 'claimed', String(tick + 1000));
    expect(await ticks.open('job', 5)).toEqual({ claimed: tick + 1000, record: last });
  });
});

describe('what a job remembers', () => {
  const tick = Math.floor(Date.now() / 1000) * 1000;

  it('never keeps the owners to come from it, though the clock of Redis was set back', async () => {
    const ticks = onServers(1);
    await ticks.restore([{ job: 'job', epoch: (tick + 3_600_000) * 1000, claimed: tick, record: '{"rev":2}' }]);
    const epoch = (await ticks.recall(['job']))[0]!.epoch + 1;
    await eventually(() => Date.now() * 1000 > epoch);
    expect(await ticks.open('job', epoch)).toEqual({ claimed: tick, record: '{"rev":2}' });
    // Nor is it put in the place of what they write.
    expect(await ticks.write('job', epoch, '{"rev":3}', { at: tick + 1000, id: 'b' })).toBe('done');
    await ticks.restore([{ job: 'job', epoch: (tick + 3_600_000) * 1000, claimed: tick, record: '{"rev":2}' }]);
    expect(await ticks.recall(['job'])).toEqual([{ job: 'job', epoch, claimed: tick + 1000, record: '{"rev":3}' }]);
  });
});

describe('the hash of a job that another client wrote', () => {
  const tick = Math.floor(Date.now() / 1000) * 1000;
  const claimedOf = (): Promise<string> => server.cli('HGET', keys.cron('job'), 'claimed');

  it.each(['9007199254740991', '8640000000000000', '253402300799000', '-1', '1e300', 'nan', 'never'])(
    'keeps no time from being claimed: claimed %s',
    async (said) => {
      for (const count of [1, 3]) {
        const ticks = onServers(count);
        await ticks.open('job', 5);
        expect(await ticks.write('job', 5, '{"rev":1}', { at: tick, id: 'a' })).toBe('done');
        await server.cli('HSET', keys.cron('job'), 'claimed', said);
        const before = Date.now();
        const opened = (await ticks.open('job', 6))!;
        expect(opened).toMatchObject({ record: '{"rev":1}', doubt: { said } });
        // No honest claim is further ahead of Redis.
        expect(opened.doubt!.most).toBeGreaterThanOrEqual(before + 59_000);
        expect(opened.doubt!.most).toBeLessThanOrEqual(Date.now() + 61_000);
        expect(await ticks.write('job', 6, '{"rev":2}', { at: tick + 1000, id: 'b' })).toBe('done');
        expect(await claimedOf()).toBe(String(tick + 1000));
        expect(await ticks.open('job', 7)).toEqual({ claimed: tick + 1000, record: '{"rev":2}' });
        await server.cli('DEL', keys.cron('job'));
      }
    },
  );

  it.each(['999999999999999', '1000000000000000', '9007199254740991', '9'.repeat(400)])(
    'keeps no record from being written: revision %s',
    async (rev) => {
      const ticks = onServers(1);
      await server.cli('HSET', keys.cron('job'), 'record', `{"rev":${rev}}`);
      const { record, revision = revisionOf(record) } = (await ticks.open('job', 5))!;
      for (const next of [revision + 1, revision + 2]) {
        expect(await ticks.write('job', 5, `{"rev":${next}}`)).toBe('done');
      }
    },
  );

  it('is begun anew where it is no hash', async () => {
    const ticks = onServers(1);
    await server.cli('SET', keys.cron('job'), 'x');
    expect(await ticks.open('job', 5)).toEqual({ claimed: 0, record: '' });
    await server.cli('SET', keys.cron('job'), 'x');
    expect(await ticks.write('job', 5, '{"rev":1}', { at: tick, id: 'a' })).toBe('done');
    expect(await ticks.open('job', 6)).toEqual({ claimed: tick, record: '{"rev":1}' });
  });
});
