/**
 * The backend of a cluster: every contract over Redis. Loaded only when the configuration is clustered.
 * Reading it shows which connection serves what.
 */
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type Redlock from 'redlock';
import type { FoundationConfig } from '../config/config.js';
import { Listeners } from '../foreign/listeners.js';
import { ReplayGuard } from '../security/replay.guard.js';
import { createSigner } from '../security/signer.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { monotonicNow } from '../time/monotonic.clock.js';
import { type HintListener, parseHint } from '../wire/hint.js';
import { channelOf, keysOf } from '../wire/keys.js';
import type { NodeIdentity } from '../wire/node.identity.js';
import type { Backend } from './backend.js';
import { Loads } from './directory/load.hints.js';
import { RedisNodeDirectory } from './directory/redis.directory.js';
import { LeaseQuorum } from './leases/lease.quorum.js';
import { createRedlock } from './leases/name.locks.js';
import { RedisTicks } from './leases/redis.ticks.js';
import { RedlockLeases } from './leases/redlock.leases.js';
import { observing } from './observer.backend.js';
import { Grace } from './redis/grace.period.js';
import { RedisConnections } from './redis/redis.connections.js';
import { databaseOf, endpointName, publicUrl } from './redis/redis.endpoint.js';
import { BullmqRestarts, createQueue } from './restarts/bullmq.restarts.js';
import { RedisJournal } from './streams/redis.journal.js';
import { RedisStreams } from './streams/redis.streams.js';
import { safetiesOf } from './streams/safeties.js';
import { RedisTable } from './tables/redis.table.js';
import { DirectTransport } from './transport/direct/direct.transport.js';
import { RedisTransport } from './transport/redis.transport.js';

/** Makes the backend; the connections begin to open at once, `open()` waits for them. */
export function createRedisBackend(config: FoundationConfig, node: NodeIdentity, telemetry: Telemetry): Backend {
  const connections = new RedisConnections(config);
  try {
    const backend = backendOver(connections, config, node, telemetry);
    return config.observes === true ? observing(backend) : backend;
  } catch (error) {
    // What was adopted may be refused; nothing of ours stays open then.
    connections.close();
    throw error;
  }
}

function backendOver(
  connections: RedisConnections,
  config: FoundationConfig,
  node: NodeIdentity,
  telemetry: Telemetry,
): Backend {
  const keys = keysOf(config.appName, databaseOf(config.redis));
  const seal = createSigner(config.appName, config.cookie);
  const loads = new Loads(seal, keys.hints);
  const ticks = new RedisTicks(new LeaseQuorum(connections.quorumControl), keys, seal);
  const { leases: client, control, subscriber, publisher, quorum, quorumControl } = connections;
  const redlock = (config.redlock as Redlock | undefined) ?? createRedlock(connections.quorum);
  const queue = (config.queue as Queue | undefined) ?? createQueue(control, keys, config.observes);
  const grace = new Grace(config.lease.grace);
  const leases = new RedlockLeases({
    quorum: new LeaseQuorum(quorum),
    control: new LeaseQuorum(quorumControl),
    redlock,
    keys,
    times: config.lease,
    node,
    telemetry,
    now: monotonicNow,
    after: grace,
  });
  const topics = new RedisTransport({
    subscriber,
    publisher,
    countsReceivers: connections.countsReceivers,
    guard: {
      // Room for a bundle and for what JSON and base64 add; the same as over links.
      longest: 2 * config.channels.maxMessageBytes + 1024 * 1024,
      ...(config.cookie === undefined ? {} : { signing: { seal, stamps: new ReplayGuard(node.bootId) } }),
      isOpen: (topic) => topic === keys.hints,
      refused: (topic, reason) =>
        telemetry.emit('message.dropped', { channel: channelOf(keys, topic), reason, count: 1 }),
    },
  });
  const direct =
    config.transport.kind === 'direct'
      ? new DirectTransport({ ...config, transport: config.transport }, node, telemetry, topics, keys)
      : undefined;
  const restarts = new BullmqRestarts({
    client: control,
    workerClient: connections.worker,
    queue,
    ownsQueue: config.queue === undefined,
    keys,
  });
  const consumer = `${node.name}:${node.bootId}`;
  const connect = (waitMs?: number): Redis => connections.blocking(waitMs);
  const streams = new RedisStreams({ control, connect, keys, name: consumer, seal });
  const { endpoint } = connections;
  const listeners = new Listeners<Parameters<HintListener>>('a listener to hints');
  let [linked, listening] = [false, false];

  return {
    kind: 'redis',
    endpoint,
    database: databaseOf(config.redis),
    url: publicUrl(config.redis),
    leases,
    ticks,
    directory: new RedisNodeDirectory({ client, control, keys, config, seal, loads, grace }),
    table: new RedisTable(
      control,
      {
        ...{ rows: keys.processes, versions: keys.processVersions, marks: keys.processMarks, head: keys.processHead },
        ...{ hints: keys.hints, hint: { t: 'table' } },
      },
      seal,
    ),
    services: new RedisTable(
      control,
      {
        ...{ rows: keys.services, versions: keys.serviceVersions, marks: keys.serviceMarks, head: keys.serviceHead },
        ...{ hints: keys.hints, hint: { t: 'services' } },
      },
      seal,
    ),
    settings: new RedisTable(
      control,
      {
        ...{ rows: keys.settings, versions: keys.settingVersions, marks: keys.settingMarks, head: keys.settingHead },
        ...{ hints: keys.hints, hint: { t: 'settings' } },
      },
      seal,
    ),
    // Channels and calls take the one that was chosen; hints come out of Lua and stay with Redis.
    transport: direct ?? topics,
    get address() {
      return direct?.address;
    },
    leaseNames: config.quorum.length === 0 ? undefined : config.quorum.map(endpointName).sort().join(', '),
    meet: (members) => (direct ?? topics).meet(members),
    ...(direct === undefined ? {} : { greet: () => direct.greet() }),
    streams,
    journal: new RedisJournal(control, keys, node.bootId, seal),
    restarts,
    raw: { leases: client, control, subscriber, publisher, redlock, queue, worker: restarts.worker },
    async open() {
      await connections.ready();
      await streams.confirmations.require(safetiesOf(config.channels.durable), {
        control,
        endpoint,
        key: keys.incarnation,
      });
      // Each is remembered once it is done, since a node that joins later calls this again after a failure.
      if (!linked) await direct?.listen();
      linked = true;
      if (listening) return;
      await topics.subscribe(keys.hints, (text) => {
        const hint = typeof text === 'string' ? parseHint(text) : undefined;
        if (hint?.t === 'load' && !loads.isTrue(hint)) return;
        if (hint?.t === 'cron') ticks.heard(hint);
        else if (hint !== undefined) listeners.tell(hint);
      });
      listening = true;
    },
    troubles: () => connections.troubles(),
    async inspect() {
      const [evictionPolicy, sweepDueAt] = await Promise.all([connections.evictionPolicy(), restarts.sweepDueAt()]);
      return {
        ...(evictionPolicy === undefined ? {} : { evictionPolicy }),
        ...(sweepDueAt === undefined ? {} : { sweepLateMs: Math.max(0, Date.now() - sweepDueAt) }),
      };
    },
    onHint: (listener) => listeners.add(listener),
    async close() {
      leases.close();
      direct?.close();
      topics.close();
      try {
        streams.close();
        await restarts.close();
      } finally {
        connections.close();
      }
    },
  };
}
