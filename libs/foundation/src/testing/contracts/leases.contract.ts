/* eslint-disable max-lines -- a suite is one list of cases */
/**
 * What every adapter of the leases promises, as a suite: exclusivity, epochs, release, loss, hand-over and fenced
 * values. The local leases and those over Redlock pass it.
 */
import assert from 'node:assert/strict';
import type { Lease, Leases } from '../../backend/leases/leases.js';
import { LeaseLostError, StaleEpochError } from '../../errors/process.errors.js';
import type { Hint } from '../../wire/hint.js';
import { eventually } from '../eventually.js';
import { type ContractCluster, type ContractOptions, contractTests, type TestRunner } from './contract.js';

/** One node of the cluster under test. */
export interface LeaseNode {
  readonly name: string;
  readonly bootId: string;
  readonly leases: Leases;
  /** Calls the listener with each hint that reaches this node. */
  onHint(listener: (hint: Hint) => void): () => void;
}

/** See {@link ContractCluster}. Leases should last about a second, so that the suite is quick. */
export interface LeaseCluster extends ContractCluster<LeaseNode> {
  /** Gives the name to a stranger, as an operator may; absent where nothing outside of the adapter can. */
  takeAway?: (name: string) => Promise<void>;
}

const NAME = 'feed';

async function take({ leases }: LeaseNode, name = NAME): Promise<Lease> {
  const lease = await leases.acquire(name);
  assert.ok(lease !== undefined, `"${name}" was not acquired`);
  return lease;
}

/** As a candidate does it: when the name may be free. */
function takeWhenFree(node: LeaseNode, name = NAME): Promise<Lease> {
  return eventually(
    async () => {
      const [standing] = await node.leases.standing([name]);
      return standing!.freeInMs === 0 ? node.leases.acquire(name) : undefined;
    },
    { what: `A lease of "${name}"` },
  );
}

async function ownerOf({ leases }: LeaseNode, name = NAME) {
  const [owner] = await leases.owners([name]);
  return owner;
}

/** Resolves once the hint has come. */
function hintsOf(node: LeaseNode): (hint: Hint) => Promise<unknown> {
  const hints: string[] = [];
  node.onHint((hint) => hints.push(JSON.stringify(hint)));
  return (hint) => eventually(() => hints.includes(JSON.stringify(hint)), { what: 'A hint', lastSeen: () => hints });
}

function requireLost(lease: Lease): void {
  assert.equal(lease.isHeld(), false);
  assert.ok(lease.signal.reason instanceof LeaseLostError, `the reason is ${String(lease.signal.reason)}`);
}

/**
 * Declares the suite.
 *
 * ```ts
 * leasesContract('mine', (size) => openMyCluster(size), { describe, it });
 * ```
 *
 * @param makeCluster called by each test with the number of nodes that it wants; no name is owned yet.
 */
export function leasesContract(
  name: string,
  makeCluster: (size: number) => Promise<LeaseCluster>,
  runner: TestRunner,
  options: ContractOptions = {},
): void {
  const { alone, between } = contractTests<LeaseNode, LeaseCluster>(makeCluster, runner, options);

  runner.describe(`The contract of leases: ${name}`, () => {
    alone('grants a name to one owner, and other names beside it', async ([node]) => {
      const lease = await take(node);
      assert.equal(lease.name, NAME);
      assert.equal(lease.isHeld(), true);
      assert.equal(lease.signal.aborted, false);
      assert.equal(await node.leases.acquire(NAME), undefined);
      const other = await take(node, 'other');
      assert.equal(node.leases.held(), 2);
      await other.release();
      assert.equal(node.leases.held(), 1);
    });

    between('grants a name to one of many that acquire it at once', async (nodes) => {
      for (let round = 0; round < 5; round++) {
        const attempts = await Promise.all([...nodes, ...nodes].map(({ leases }) => leases.acquire(NAME)));
        const granted = attempts.filter((lease) => lease !== undefined);
        assert.ok(granted.length <= 1, `${granted.length} owners`);
        await granted[0]?.release();
      }
    });

    between('refuses a name that another node owns, for longer than a lease lasts without renewal', async ([a, b]) => {
      const lease = await take(a);
      const [standing] = await b.leases.standing([NAME]);
      assert.ok(standing!.freeInMs > 0);
      const until = performance.now() + 1.5 * standing!.freeInMs;
      await eventually(async () => {
        assert.equal(await b.leases.acquire(NAME), undefined);
        return performance.now() > until;
      });
      assert.equal(lease.isHeld(), true);
    });

    alone('raises the epoch with every owner of a name', async ([node]) => {
      let last = 0;
      for (let round = 0; round < 20; round++) {
        const lease = await take(node);
        assert.ok(Number.isSafeInteger(lease.epoch) && lease.epoch > last, `${lease.epoch} after ${last}`);
        last = lease.epoch;
        await lease.release();
      }
    });

    between('raises the epoch from node to node', async ([a, b]) => {
      const first = await take(a);
      await first.release();
      const second = await take(b);
      assert.ok(second.epoch > first.epoch);
      assert.equal((await ownerOf(a))?.epoch, second.epoch);
    });

    alone('grants an epoch above the one that is asked for, and goes on from there', async ([node]) => {
      const above = (await take(node, 'other')).epoch + 3_600_000_000;
      const first = await node.leases.acquire(NAME, above);
      assert.ok(first!.epoch > above);
      await first!.release();
      assert.ok((await take(node)).epoch > first!.epoch);
    });

    alone('knows the last epoch of a name beyond its owner, until it is forgotten', async ([node]) => {
      const { leases } = node;
      assert.equal(await leases.lastEpoch(NAME), 0);
      const lease = await take(node);
      assert.equal(await leases.lastEpoch(NAME), lease.epoch);
      await lease.release();
      assert.equal(await leases.lastEpoch(NAME), lease.epoch);
      await leases.forget([NAME, 'never owned']);
      assert.equal(await leases.lastEpoch(NAME), 0);
      await leases.forget([]);
      assert.ok((await take(node)).epoch > lease.epoch);
    });

    alone('does not forget the epoch of a name that is owned', async ([node]) => {
      const lease = await take(node);
      await node.leases.forget([NAME]);
      assert.equal(await node.leases.lastEpoch(NAME), lease.epoch);
    });

    alone('shows the owner of a name: who, since when, with which epoch, and whether it runs', async ([node]) => {
      const lease = await take(node);
      const owner = await ownerOf(node);
      assert.ok(owner !== undefined && owner.since > 0);
      const { name: nodeName, bootId } = node;
      const known = { name: NAME, node: nodeName, bootId, epoch: lease.epoch, since: owner.since };
      assert.deepEqual(owner, { ...known, state: 'starting' });
      const hinted = hintsOf(node);
      await lease.announce();
      assert.deepEqual(await ownerOf(node), { ...known, state: 'running' });
      await hinted({ t: 'running', name: NAME });
      await lease.release();
      assert.equal(await ownerOf(node), undefined);
    });

    alone('answers owners and standing in the order of the names', async ([node]) => {
      await take(node, 'b');
      const names = ['a', 'b', 'c'];
      const owners = await node.leases.owners(names);
      assert.deepEqual(
        owners.map((owner) => owner?.name),
        [undefined, 'b', undefined],
      );
      const standing = await node.leases.standing(names);
      assert.deepEqual(
        standing.map(({ name, freeInMs }) => [name, freeInMs > 0]),
        [
          ['a', false],
          ['b', true],
          ['c', false],
        ],
      );
      assert.deepEqual([await node.leases.owners([]), await node.leases.standing([])], [[], []]);
    });

    between('shows the same owner to every node', async ([a, b]) => {
      const lease = await take(a);
      await lease.announce();
      const owner = await ownerOf(b);
      assert.deepEqual(owner, await ownerOf(a));
      assert.deepEqual([owner?.node, owner?.bootId, owner?.state], [a.name, a.bootId, 'running']);
    });

    alone('frees a name by its release, once, and hints at it', async ([node]) => {
      const hinted = hintsOf(node);
      const lease = await take(node);
      await lease.release();
      assert.equal(lease.isHeld(), false);
      assert.equal(lease.signal.aborted, false, 'an orderly end is no loss');
      await hinted({ t: 'released', name: NAME, node: node.name });
      const [standing] = await node.leases.standing([NAME]);
      assert.equal(standing!.freeInMs, 0);
      const next = await take(node);
      await lease.release();
      lease.abandon();
      assert.equal(next.isHeld(), true);
      assert.equal((await ownerOf(node))?.epoch, next.epoch);
    });

    between('knows the node that had the name and did not give it back', async ([a, b]) => {
      const lease = await take(a);
      await lease.announce();
      lease.abandon();
      const next = await takeWhenFree(b);
      assert.equal(next.before, a.name);
    });

    between('hints at a release on other nodes', async ([a, b]) => {
      const hinted = hintsOf(b);
      const lease = await take(a);
      await lease.announce();
      await hinted({ t: 'running', name: NAME });
      await lease.release();
      await hinted({ t: 'released', name: NAME, node: a.name });
      const next = await take(b);
      assert.equal(next.before, undefined, 'it was given back');
    });

    alone('keeps an abandoned name taken until its time has run', async ([node]) => {
      const lease = await take(node);
      lease.abandon();
      requireLost(lease);
      assert.equal(node.leases.held(), 0);
      assert.equal(await node.leases.acquire(NAME), undefined);
      const [standing] = await node.leases.standing([NAME]);
      assert.ok(standing!.freeInMs > 0);
      const next = await takeWhenFree(node);
      assert.ok(next.epoch > lease.epoch);
    });

    alone('frees an abandoned name at once when its instance stops after all', async ([node]) => {
      const lease = await take(node);
      lease.abandon();
      await lease.release();
      assert.ok((await take(node)).epoch > lease.epoch);
    });

    alone('ends every lease of a node whose name was taken', async ([node]) => {
      const leases = [await take(node, 'one'), await take(node, 'two')];
      node.leases.loseAll();
      leases.forEach(requireLost);
      assert.equal(node.leases.held(), 0);
      assert.equal(await node.leases.acquire('one'), undefined);
    });

    alone('owns nothing and grants nothing once it is closed', async ([node]) => {
      const lease = await take(node);
      node.leases.close();
      requireLost(lease);
      assert.equal(node.leases.held(), 0);
      assert.equal(await node.leases.acquire('other'), undefined);
    });

    between('ends a lease that is taken away, and names the new owner only', async ([a, b], { takeAway }) => {
      if (takeAway === undefined) return;
      const lease = await take(a);
      await takeAway(NAME);
      await eventually(() => lease.signal.aborted, { what: 'The loss of the lease' });
      requireLost(lease);
      assert.equal(await ownerOf(b), undefined);
      await lease.release();
      assert.equal(await b.leases.acquire(NAME), undefined);
    });

    alone('announces nothing for a lease that has ended', async ([node]) => {
      const lease = await take(node);
      await lease.release();
      const next = await take(node);
      await lease.announce();
      assert.equal((await ownerOf(node))?.state, 'starting');
      assert.equal(next.isHeld(), true);
    });

    alone('gives what an owner leaves to the next that asks, again and again, and to no later one', async ([node]) => {
      const first = await take(node);
      assert.equal(await first.inherit(), undefined);
      await first.leave('"one"');
      await first.leave('"two"');
      await first.release();
      const passedOver = await take(node);
      await passedOver.release();
      const second = await take(node);
      assert.deepEqual([await second.inherit(), await second.inherit()], ['"two"', '"two"']);
      await second.release();
      assert.equal(await second.inherit(), undefined);
      const third = await take(node);
      assert.deepEqual([await third.inherit(), await third.inherit()], [undefined, undefined]);
    });

    between('gives what an owner leaves to an owner on another node', async ([a, b]) => {
      const first = await take(a);
      await first.leave('{"n":1}');
      await first.release();
      assert.equal(await (await take(b)).inherit(), '{"n":1}');
    });

    alone('gives an owner nothing of what it has left itself', async ([node]) => {
      const first = await take(node);
      await first.leave('"one"');
      assert.equal(await first.inherit(), undefined);
      await first.release();
      assert.equal(await (await take(node)).inherit(), '"one"');
    });

    alone('takes no state from an owner that has ended', async ([node]) => {
      const lease = await take(node);
      await lease.release();
      await assert.rejects(lease.leave('"late"'));
      assert.equal(await (await take(node)).inherit(), undefined);
    });

    alone('rejects fenced writes and deletions below the highest epoch', async ([node]) => {
      const { leases } = node;
      const { epoch } = await take(node);
      await leases.fencedSet('k', 'a', epoch + 5);
      await leases.fencedSet('k', 'b', epoch + 5);
      await leases.fencedSet('k', 'c', epoch + 7);
      const stale = (error: unknown): boolean => error instanceof StaleEpochError && error.why === 'written';
      await assert.rejects(leases.fencedSet('k', 'd', epoch + 6), stale);
      await assert.rejects(leases.fencedDelete('k', epoch + 6), stale);
      await leases.fencedSet('other', 'a', epoch + 1);
      await leases.fencedDelete('k', epoch + 7);
      await assert.rejects(leases.fencedSet('k', 'd', epoch + 6), stale);
      await leases.fencedSet('k', 'd', epoch + 8);
    });

    alone('forgets a fenced value and its epoch after its life', async ([node]) => {
      const { leases } = node;
      const { epoch } = await take(node);
      await leases.fencedSet('k', 'a', epoch + 5, 50);
      await eventually(() => leases.fencedSet('k', 'b', epoch).then(() => true), {
        what: 'The end of a fenced value',
      });
    });

    alone('refreshes a lease that is held, and writes with what it says', async ([node]) => {
      const lease = await take(node);
      const epoch = await lease.refresh(0);
      assert.equal(epoch, lease.epoch);
      assert.equal(lease.isHeld(), true);
      await node.leases.fencedSet('k', 'a', epoch);
      await lease.release();
      await lease.refresh(0);
      assert.equal(lease.isHeld(), false);
      assert.ok((await take(node)).epoch > epoch);
    });

    alone('grants names at once where no data was lost', async ([{ leases }]) => {
      assert.equal(await leases.grace(), 0);
    });
  });
}
