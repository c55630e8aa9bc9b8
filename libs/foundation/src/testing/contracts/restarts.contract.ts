/**
 * What every adapter of the restarts promises, as a suite: crashes counted once, restarts after a delay and once, none
 * after the close. The local restarts and those over BullMQ pass it.
 */
import assert from 'node:assert/strict';
import type { RestartHandlers, Restarts } from '../../backend/restarts/restarts.js';
import { eventually } from '../eventually.js';
import { type ContractCluster, type ContractOptions, contractTests, type TestRunner } from './contract.js';

/** See {@link ContractCluster}; nothing is open yet. */
export interface RestartsCluster extends ContractCluster<Restarts> {
  /** False where there is nothing that a regular sweep could find. Default true. */
  sweeps?: boolean;
}

/** By how much a timer or the clock of another machine may be early, in milliseconds. */
const EARLY_MS = 20;

/** Handlers that note what they are called with. */
class Calls implements RestartHandlers {
  readonly restarts: (readonly [name: string, epoch: number])[] = [];
  sweeps = 0;

  restart(name: string, epoch: number): Promise<void> {
    this.restarts.push([name, epoch]);
    return name === 'fails' ? Promise.reject(new Error('a restart that fails')) : Promise.resolve();
  }

  sweep(): Promise<void> {
    this.sweeps += 1;
    return Promise.resolve();
  }

  async has(...expected: (readonly [string, number])[]): Promise<void> {
    await eventually(() => this.restarts.length >= expected.length, {
      what: `${expected.length} restarts`,
      lastSeen: () => this.restarts,
    });
    assert.deepEqual(this.restarts, expected);
  }
}

/** Declares the suite; see `leasesContract`. */
export function restartsContract(
  name: string,
  makeCluster: (size: number) => Promise<RestartsCluster>,
  runner: TestRunner,
  options: ContractOptions = {},
): void {
  const { alone, between } = contractTests<Restarts, RestartsCluster>(makeCluster, runner, options);

  runner.describe(`The contract of restarts: ${name}`, () => {
    alone('counts the crash of an epoch once, each name for itself', async ([restarts]) => {
      assert.equal(await restarts.crashed('feed', 1, 60_000), 1);
      assert.equal(await restarts.crashed('feed', 1, 60_000), 1);
      assert.equal(await restarts.crashed('feed', 2, 60_000), 2);
      assert.equal(await restarts.crashed('other', 2, 60_000), 1);
    });

    alone('forgets crashes that were asked to be, and no other', async ([restarts]) => {
      for (const each of ['a', 'b', 'c']) await restarts.crashed(each, 1, 60_000);
      await restarts.forget('a', 'b', 'never crashed');
      await restarts.forget();
      const counts = await Promise.all(['a', 'b', 'c'].map((each) => restarts.crashed(each, 2, 60_000)));
      assert.deepEqual(counts, [1, 1, 2]);
    });

    alone('counts crashes of the window only', async ([restarts]) => {
      const windowMs = 150;
      await restarts.crashed('feed', 1, windowMs);
      const over = performance.now() + windowMs + EARLY_MS;
      await eventually(() => performance.now() > over);
      assert.equal(await restarts.crashed('feed', 2, windowMs), 1);
    });

    alone('restarts after the delay, not before', async ([restarts]) => {
      const calls = new Calls();
      await restarts.open(calls);
      const began = performance.now();
      await restarts.schedule('feed', 7, 300);
      await restarts.schedule('other', 8, 0);
      await calls.has(['other', 8], ['feed', 7]);
      assert.ok(performance.now() - began >= 300 - EARLY_MS);
    });

    alone('restarts once for a name and an epoch, however often it is scheduled', async ([restarts]) => {
      const calls = new Calls();
      await restarts.open(calls);
      for (let round = 0; round < 3; round++) await restarts.schedule('feed', 7, 100);
      await restarts.schedule('feed', 8, 200);
      await restarts.schedule('other', 7, 300);
      await calls.has(['feed', 7], ['feed', 8], ['other', 7]);
    });

    alone('keeps a restart that is due before it is open', async ([restarts]) => {
      await restarts.schedule('feed', 7, 0);
      const due = performance.now() + EARLY_MS;
      await eventually(() => performance.now() > due);
      const calls = new Calls();
      await restarts.open(calls);
      await calls.has(['feed', 7]);
    });

    alone('goes on after a restart that fails', async ([restarts]) => {
      const calls = new Calls();
      await restarts.open(calls);
      await restarts.schedule('fails', 1, 0);
      await calls.has(['fails', 1]);
      await restarts.schedule('feed', 2, 0);
      await calls.has(['fails', 1], ['feed', 2]);
    });

    alone('calls nothing once it is closed', async ([restarts]) => {
      const calls = new Calls();
      await restarts.open(calls);
      await restarts.schedule('feed', 7, 200);
      await restarts.close();
      const due = performance.now() + 200 + 5 * EARLY_MS;
      await eventually(() => performance.now() > due);
      assert.deepEqual(calls.restarts, []);
      await restarts.close();
    });

    alone('sweeps regularly', async ([restarts], { sweeps = true }) => {
      const calls = new Calls();
      await restarts.open(calls);
      await restarts.ensureSweep();
      await restarts.ensureSweep();
      if (sweeps) await eventually(() => calls.sweeps > 0, { what: 'A sweep', timeout: 30_000 });
      else assert.equal(calls.sweeps, 0);
    });

    between('counts crashes together, and restarts on one node', async ([a, b]) => {
      assert.equal(await a.crashed('feed', 1, 60_000), 1);
      assert.equal(await b.crashed('feed', 2, 60_000), 2);
      const calls = new Calls();
      await Promise.all([a.open(calls), b.open(calls)]);
      await Promise.all([a.schedule('feed', 1, 50), b.schedule('feed', 1, 50)]);
      await b.schedule('other', 1, 200);
      await calls.has(['feed', 1], ['other', 1]);
    });

    between('restarts on another node what a node scheduled that is closed by then', async ([a, b]) => {
      const [onA, onB] = [new Calls(), new Calls()];
      await Promise.all([a.open(onA), b.open(onB)]);
      await a.schedule('feed', 7, 200);
      await a.close();
      await onB.has(['feed', 7]);
      assert.deepEqual(onA.restarts, []);
    });
  });
}
