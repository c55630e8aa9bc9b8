/**
 * What every adapter of the node directory promises, as a suite: records, beats, draining, leaving, and nodes that fall
 * silent. The local directory and the one in Redis pass it.
 */
import assert from 'node:assert/strict';
import type { NodeDirectory, NodeRecord } from '../../backend/directory/directory.js';
import { eventually } from '../eventually.js';
import { type ContractCluster, type ContractOptions, contractTests, type TestRunner } from './contract.js';

/** One node of the cluster under test. */
export interface DirectoryNode {
  readonly name: string;
  readonly bootId: string;
  readonly directory: NodeDirectory;
}

/** See {@link ContractCluster}; no node has joined yet. */
export type DirectoryCluster = ContractCluster<DirectoryNode>;

/** Quick for the suite, long enough for a busy machine. */
const TIMES = { beatEvery: 300, ttl: 1000 };

function recordOf(
  { name, bootId }: Pick<DirectoryNode, 'name' | 'bootId'>,
  more: Partial<NodeRecord> = {},
): NodeRecord {
  return {
    ...{ name, bootId, host: 'host', pid: 7, version: '1.2.3', state: 'up', classes: ['Feed', 'Ticker'] },
    ...{ load: 0, lag: 0, labels: {}, replicas: {}, listens: {}, leaseServers: 1, joinedAt: 0, ...TIMES, ...more },
  };
}

/** A record that says everything that one can say. */
const FULL: Partial<NodeRecord> = {
  load: 3,
  capacity: 10,
  lag: 12,
  labels: { zone: 'a', 'with space': 'ä€😀' },
  replicas: {
    feed: { state: 'running', epoch: 5, since: 1000 },
    ticker: { state: 'failed', epoch: 6, since: 2000, error: 'a reason' },
  },
  listens: { orders: ['', 'billing', 'billing order.created'] },
  leaseServers: 3,
  leaseTtl: 1500,
  protocol: { newest: 4, oldest: 2 },
  declares: { feed: 'singleton 1 abc' },
  address: '127.0.0.1:4000',
};

/** Without prototypes, which say nothing. */
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

async function join({ directory, ...node }: DirectoryNode, more: Partial<NodeRecord> = {}): Promise<NodeRecord> {
  const record = recordOf(node, more);
  const answer = await directory.join(record);
  assert.ok(answer.joined, JSON.stringify(answer));
  return { ...record, joinedAt: answer.now };
}

async function namesIn({ directory }: DirectoryNode): Promise<string[]> {
  return (await directory.view()).members.map(({ name }) => name).sort();
}

/** Declares the suite; see `leasesContract`. */
export function directoryContract(
  name: string,
  makeCluster: (size: number) => Promise<DirectoryCluster>,
  runner: TestRunner,
  options: ContractOptions = {},
): void {
  const { alone, between } = contractTests<DirectoryNode, DirectoryCluster>(makeCluster, runner, options);

  runner.describe(`The contract of node directories: ${name}`, () => {
    alone('is empty at first, and knows nobody who beats', async ([node]) => {
      const { directory } = node;
      assert.deepEqual((await directory.view()).members, []);
      const seen = await directory.look();
      assert.equal(seen.beats.size, 0);
      assert.ok(seen.now > 0);
      assert.equal(
        (await directory.beat(node.name, node.bootId, { record: recordOf(node), changed: true })).status,
        'gone',
      );
      assert.deepEqual((await directory.view()).members, [], 'a beat is no join');
    });

    alone('gives a record back as it was said, with the time of the join', async ([node]) => {
      const record = await join(node, FULL);
      const { members } = await node.directory.view();
      assert.deepEqual(plain(members), [plain(record)]);
    });

    alone('answers a beat: the versions, the life of the data, and the time', async ([node]) => {
      const { joinedAt } = await join(node);
      const first = await node.directory.beat(node.name, node.bootId);
      assert.deepEqual([first.status, first.late], ['ok', []]);
      assert.ok(first.now >= joinedAt && first.incarnation !== '');
      const { version } = await node.directory.view();
      const seen = await node.directory.look();
      assert.deepEqual(
        [first.viewVersion, seen.viewVersion, seen.tableVersion, seen.incarnation],
        [version, version, first.tableVersion, first.incarnation],
      );
      const beat = seen.beats.get(node.name);
      assert.ok(beat !== undefined && beat >= joinedAt && beat <= seen.now);
    });

    alone('replaces the record with a beat; only a change raises the version of the view', async ([node]) => {
      const record = await join(node);
      const beat = (update: Partial<NodeRecord>, changed: boolean) =>
        node.directory.beat(node.name, node.bootId, { record: { ...record, ...update }, changed });
      const before = await node.directory.view();
      await beat({ load: 5, lag: 20 }, false);
      const quiet = await node.directory.view();
      assert.equal(quiet.version, before.version);
      assert.deepEqual([quiet.members[0]!.load, quiet.members[0]!.lag], [5, 20]);
      const { viewVersion } = await beat({ state: 'draining' }, true);
      const draining = await node.directory.view();
      assert.ok(draining.version > before.version && draining.version === viewVersion);
      assert.equal(draining.members[0]!.state, 'draining');
    });

    between('says to who has an earlier version no less than what has changed since', async ([node]) => {
      const { directory } = node;
      const others = ['x1', 'x2', 'x3'].map((own) => ({ directory, name: own, bootId: `boot-${own}` }));
      const record = await join(node);
      let { version } = await directory.view();
      const change = async (work: () => Promise<unknown>, names: readonly string[]) => {
        await work();
        const view = await directory.view(version);
        assert.ok(view.version > version);
        for (const changed of names) assert.ok(view.changed?.has(changed) ?? true, `${changed} has changed`);
        const whole = await directory.view();
        const sorted = ({ members }: { members: readonly NodeRecord[] }) =>
          members.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(plain);
        assert.deepEqual(sorted(view), sorted(whole));
        assert.deepEqual([view.version, view.expected], [whole.version, whole.expected]);
        version = whole.version;
      };
      await change(() => Promise.all(others.map((other) => join(other))), ['x1', 'x2', 'x3']);
      await change(() => directory.leave('x2', 'boot-x2'), ['x2']);
      await change(
        () => directory.beat(node.name, node.bootId, { record: { ...record, state: 'draining' }, changed: true }),
        [node.name],
      );
      const same = await directory.view(version);
      assert.deepEqual([same.version, same.members.length], [version, 3]);
      assert.equal((await directory.view(1)).members.length, 3);
    });

    alone('keeps the time of the join: in beats, and for who joins again and says it', async ([node]) => {
      const record = await join(node);
      const { name: nodeName, bootId, directory } = node;
      await directory.beat(nodeName, bootId, { record: { ...record, joinedAt: 5 }, changed: true });
      const [member] = (await directory.view()).members;
      assert.equal(member!.joinedAt, record.joinedAt);
      await directory.leave(nodeName, bootId);
      const earlier = record.joinedAt - 1000;
      assert.deepEqual(await directory.join({ ...record, joinedAt: earlier }), { joined: true, now: earlier });
      assert.equal((await directory.view()).members[0]!.joinedAt, earlier);
      const later = await directory.join({ ...record, joinedAt: record.joinedAt + 3_600_000 });
      assert.ok(later.joined && later.now < record.joinedAt + 3_600_000, 'a time to come is none');
    });

    alone('refuses a second process of a name, whose owner beats', async ([node]) => {
      const { directory, name: nodeName } = node;
      const { joinedAt } = await join(node);
      const second = await directory.join(recordOf({ name: nodeName, bootId: 'another' }));
      assert.ok(!second.joined && second.refused === undefined);
      assert.deepEqual([second.otherBootId, second.beatAt >= joinedAt], [node.bootId, true]);
      const beat = await directory.beat(nodeName, 'another');
      assert.deepEqual([beat.status, beat.otherBootId], ['replaced', node.bootId]);
      const { version } = await directory.view();
      await directory.leave(nodeName, 'another');
      const view = await directory.view();
      assert.deepEqual([view.version, view.members[0]!.bootId], [version, node.bootId]);
      assert.equal((await directory.beat(nodeName, node.bootId)).status, 'ok');
    });

    alone('removes a node that leaves, once, and remembers why', async ([node]) => {
      const { directory, name: nodeName, bootId } = node;
      await join(node);
      const before = await directory.view();
      await directory.leave(nodeName, bootId);
      const after = await directory.view();
      assert.deepEqual([after.members, after.version > before.version], [[], true]);
      assert.equal((await directory.beat(nodeName, bootId)).status, 'gone');
      assert.equal((await directory.look()).beats.size, 0);
      await directory.leave(nodeName, bootId);
      assert.equal((await directory.view()).version, after.version);
      assert.deepEqual(await directory.reasons([bootId, 'never there']), ['shutdown', 'timeout']);
      assert.deepEqual(await directory.reasons([]), []);
    });

    alone('remembers that a node was ended by a strategy’s word', async ([node]) => {
      await join(node);
      await node.directory.leave(node.name, node.bootId, 'terminated');
      assert.deepEqual(await node.directory.reasons([node.bootId]), ['terminated']);
    });

    alone('lets another process take the name of one that left', async ([node]) => {
      await join(node);
      await node.directory.leave(node.name, node.bootId);
      await join({ ...node, bootId: 'another' });
      assert.deepEqual(
        (await node.directory.view()).members.map(({ bootId }) => bootId),
        ['another'],
      );
    });

    between('shows the same members with the same version to every node', async ([a, b]) => {
      await join(a);
      await join(b, FULL);
      const [one, other] = await Promise.all([a.directory.view(), b.directory.view()]);
      assert.deepEqual(plain(one), plain(other));
      assert.equal(one.members.length, 2);
      const beat = await a.directory.beat(a.name, a.bootId);
      assert.equal(beat.viewVersion, one.version);
      await b.directory.leave(b.name, b.bootId);
      assert.deepEqual(await namesIn(a), [a.name]);
      assert.deepEqual(await a.directory.reasons([b.bootId]), ['shutdown']);
    });

    between('reports a silent node as late, then removes it; who looks removes nothing', async ([a, b]) => {
      await join(a);
      await join(b);
      const late = await eventually(
        async () => {
          const answer = await a.directory.beat(a.name, a.bootId);
          return answer.late.length > 0 ? answer.late : undefined;
        },
        { what: 'A late node' },
      );
      assert.deepEqual(late, [b.name]);
      assert.deepEqual(await namesIn(a), [a.name, b.name].sort());
      const { now, beats } = await b.directory.look();
      const ended = performance.now() + TIMES.ttl + 50 - (now - beats.get(b.name)!);
      await eventually(async () => {
        await b.directory.look();
        return performance.now() > ended;
      });
      assert.ok((await b.directory.look()).beats.has(b.name));
      await eventually(async () => {
        await a.directory.beat(a.name, a.bootId);
        return (await namesIn(a)).length === 1;
      });
      assert.equal((await b.directory.beat(b.name, b.bootId)).status, 'gone');
      assert.deepEqual(await a.directory.reasons([b.bootId]), ['timeout']);
    });

    between('judges a node by the times in its own record', async ([a, b]) => {
      await join(a);
      const patient = await join(b, { ttl: 60_000, beatEvery: 20_000 });
      const later = performance.now() + 1.5 * TIMES.ttl;
      await eventually(async () => {
        const { late } = await a.directory.beat(a.name, a.bootId);
        assert.deepEqual(late, []);
        return performance.now() > later;
      });
      assert.deepEqual(await namesIn(b), [a.name, patient.name].sort());
    });
  });
}
