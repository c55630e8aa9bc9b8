// A node without Nest and without a table: candidacy, leases, epochs, hand-over, fenced values and ticks, which are
// those of the library. It is small, so that thousands of lives of a few such nodes take a minute.
import { actor, tell } from 'simulated';
import { LeaseQuorum } from '../../dist/libs/foundation/dist/backend/leases/lease.quorum.js';
import { createRedlock } from '../../dist/libs/foundation/dist/backend/leases/name.locks.js';
import { RedisTicks } from '../../dist/libs/foundation/dist/backend/leases/redis.ticks.js';
import { RedlockLeases } from '../../dist/libs/foundation/dist/backend/leases/redlock.leases.js';
import { RedisConnections } from '../../dist/libs/foundation/dist/backend/redis/redis.connections.js';
import { readMachine } from '../../dist/libs/foundation/dist/config/machine.js';
import { resolve } from '../../dist/libs/foundation/dist/config/resolve.js';
import { fencedEffects } from '../../dist/libs/foundation/dist/processes/instance/fenced.effects.js';
import { Candidacy } from '../../dist/libs/foundation/dist/processes/supervision/candidacy.js';
import { createSigner } from '../../dist/libs/foundation/dist/security/signer.js';
import { Telemetry } from '../../dist/libs/foundation/dist/telemetry/telemetry.js';
import { historyNow, recordHistory } from '../../dist/libs/foundation/dist/testing/index.js';
import { machineClock } from '../../dist/libs/foundation/dist/time/clock.js';
import { monotonicNow } from '../../dist/libs/foundation/dist/time/monotonic.clock.js';
import { keysOf } from '../../dist/libs/foundation/dist/wire/keys.js';

const ACT_EVERY_MS = 60;
const WRITE_EVERY_MS = 170;
const LOOK_EVERY_MS = 250;
const TICK_EVERY_MS = 500;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Begins to want all names, in an order of its own, and does what an owner does. */
export function run({ names, ports, stopMs, stale }) {
  const self = { name: actor.name, bootId: `boot-${actor.pid}` };
  const [first, ...further] = ports.map((port) => ({ host: '127.0.0.1', port }));
  const redis = further.length === 0 ? first : { quorum: [first, ...further] };
  const config = resolve({ cluster: true, topologies: [], redis, appName: 'leases' }, process.env, readMachine());
  const connections = new RedisConnections(config);
  const keys = keysOf(config.appName, 0);
  const telemetry = new Telemetry();
  const { record } = recordHistory(telemetry, tell.line, self);
  const control = new LeaseQuorum(connections.quorumControl);
  const leases = new RedlockLeases({
    ...{ quorum: new LeaseQuorum(connections.quorum), control, redlock: createRedlock(connections.quorum) },
    ...{ keys, times: config.lease, node: self, telemetry, now: monotonicNow },
  });
  const ticks = new RedisTicks(control, keys, createSigner(config.appName, undefined));
  const running = new Map();
  let left = false;
  /** Fenced writes so far: the number of each is its value. */
  let writes = 0;
  const rank = (name) => (name.length * 7 + actor.pid + name.charCodeAt(name.length - 1)) % 3;
  const candidacy = new Candidacy(leases, (name) => ({ rank: rank(name), queueMs: 0 }), won, machineClock);
  for (const name of names) candidacy.want(name);
  void look();
  return { move, leave };

  function won(lease) {
    const owned = { lease, epoch: lease.epoch, value: 0, ending: false };
    running.set(lease.name, owned);
    void host(owned);
  }

  async function host(owned) {
    const { lease } = owned;
    const { name } = lease;
    record('process.starting', { name, node: self.name, epoch: lease.epoch });
    owned.ended = new Promise((resolve) => {
      owned.end = resolve;
      if (lease.signal.aborted) resolve('lost');
      lease.signal.addEventListener('abort', () => resolve('lost'), { once: true });
    });
    const started = begin(owned);
    const reason = await owned.ended;
    owned.ending = true;
    await started;
    // The stop of a user takes its time.
    if (reason !== 'lost') await pause(stopMs);
    await Promise.all([owned.acting, owned.writing, owned.ticking]);
    if (reason === 'moved') await leaveState(owned);
    record('process.stopped', { name, node: self.name, epoch: lease.epoch, reason, clean: true });
    await lease.release().catch(() => undefined);
    running.delete(name);
    if (stale) void writeAsStale(name, owned.epoch);
    if (left) return;
    await pause(reason === 'moved' ? 600 : 20);
    if (!left) candidacy.want(name);
  }

  async function begin(owned) {
    const { lease } = owned;
    const { name } = lease;
    await lease.announce().catch(() => undefined);
    const state = await lease.inherit().catch(() => undefined);
    if (!lease.isHeld()) return;
    if (state !== undefined) {
      const { id, epoch: from, value } = JSON.parse(state);
      owned.value = value;
      record('test.handoff_taken', { name, epoch: lease.epoch, id, from, value });
    }
    owned.acting = every(owned, ACT_EVERY_MS, () => {
      owned.value += 1;
      owned.epoch = lease.epoch;
      record('test.effect', { name, epoch: lease.epoch });
    });
    const { set } = fencedEffects({ leases, lease, name, node: self.name });
    owned.writing = every(owned, WRITE_EVERY_MS, () => write(name, lease.epoch, (value) => set(name, value)));
    owned.ticking = tick(owned);
  }

  /** As a loop of a user that heeds its context. */
  async function every(owned, ms, work) {
    while (!owned.ending && owned.lease.isHeld()) {
      await work();
      await pause(ms);
    }
  }

  async function tick({ lease, ...owned }) {
    const job = lease.name;
    let opened;
    while (opened === undefined && lease.isHeld()) {
      opened = await ticks.open(job, lease.epoch).catch(() => pause(50));
    }
    await every(
      {
        lease,
        get ending() {
          return owned.ending || running.get(job)?.ending === true;
        },
      },
      40,
      async () => {
        const at = Math.floor(Date.now() / TICK_EVERY_MS) * TICK_EVERY_MS;
        if (at <= opened.claimed) return;
        const { epoch } = lease;
        const answer = await ticks
          .write(job, epoch, `{"rev":${at}}`, { at, id: `${self.bootId} ${at}` })
          .catch(() => 'lost');
        if (answer === 'lost') return;
        opened.claimed = at;
        if (answer === 'done' && lease.isHeld())
          record('test.cron_fired', { job, scheduled: at, cause: 'time', epoch });
      },
    );
  }

  async function write(name, epoch, set = (value) => leases.fencedSet(name, value, epoch)) {
    const sentAt = historyNow();
    const number = (writes += 1);
    const outcome = await set(`${self.bootId} ${number}`).then(
      () => 'accepted',
      (error) => error.name,
    );
    record('test.fenced_write', { name, epoch, number, sentAt, accepted: outcome === 'accepted', outcome });
  }

  /** What is still on its way from an owner that has gone. */
  async function writeAsStale(name, epoch) {
    for (let turn = 0; turn < 4; turn++) {
      await pause(700);
      await write(name, epoch);
    }
  }

  async function leaveState({ lease, epoch, value }) {
    const { name } = lease;
    const id = `${name} ${epoch} ${self.bootId}`;
    if (!lease.isHeld()) return;
    record('test.handoff_left', { name, epoch: lease.epoch, id });
    await lease.leave(JSON.stringify({ id, epoch: lease.epoch, value })).catch(() => undefined);
  }

  async function look() {
    while (!left) {
      await pause(LOOK_EVERY_MS);
      const askedAt = historyNow();
      const owners = await leases.owners(names).catch(() => []);
      for (const owner of owners) {
        if (owner?.state !== 'running') continue;
        record('test.lookup', { name: owner.name, askedAt, node: owner.node, epoch: owner.epoch });
      }
      // Of several servers one may be behind.
      if (further.length === 0) for (const name of names) await read(name);
    }
  }

  async function read(name) {
    const askedAt = historyNow();
    const [epoch, value] = await connections.control.hmget(keys.fenced(name), 'epoch', 'value').catch(() => []);
    const [writer, number] = value?.split(' ') ?? [];
    if (number === undefined) return;
    record('test.fenced_read', { name, epoch: Number(epoch), writer, number: Number(number), askedAt });
  }

  function move(name) {
    running.get(name)?.end('moved');
  }

  async function leave() {
    left = true;
    await candidacy.close();
    for (const owned of running.values()) owned.end('shutdown');
    while (running.size > 0) await pause(10);
    leases.close();
    connections.close();
  }
}
