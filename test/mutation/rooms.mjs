// Which sources are mutated, by room, and which specs stand for each. A spec runs for a mutant whose file it reaches.
const SOURCES = 'libs/foundation/src';
const at = (folder, ...names) => names.map((name) => `${SOURCES}/${folder}/${name}`);
const REDIS = 'test/integration/scripts';

/** Paths from the root of the repository; a spec that is a folder stands for all specs in it. */
export const ROOMS = {
  leases: {
    sources: [
      ...at('backend/leases', 'held.lease.ts', 'lease.renewal.ts', 'redlock.leases.ts', 'name.locks.ts'),
      ...at('backend/leases', 'lease.quorum.ts', 'lease.calls.ts', 'lease.deadlines.ts', 'lease.records.ts'),
      ...at(
        'backend/leases',
        'lease.owners.ts',
        'lease.handoffs.ts',
        'server.clock.ts',
        'local.lease.ts',
        'local.leases.ts',
      ),
      ...at('backend/redis', 'grace.period.ts', 'incarnation.script.ts'),
      ...at('backend/leases', 'lease.scripts.ts', 'owner.scripts.ts', 'epoch.scripts.ts', 'handoff.scripts.ts'),
    ],
    specs: [
      ...at('backend', 'leases', 'local.ports.spec.ts', 'redis/grace.period.spec.ts'),
      'test/unit/orders/renewal.orders.spec.ts',
      `${REDIS}/lease.scripts.spec.ts`,
    ],
  },
  ticks: {
    sources: [
      ...at('backend/leases', 'ticks.ts', 'redis.ticks.ts', 'local.ticks.ts', 'tick.scripts.ts'),
      ...at('cron', 'job.memory.ts', 'kept.record.ts', 'job.record.ts'),
    ],
    specs: [
      ...at('cron', 'job.memory.spec.ts', 'job.record.spec.ts', 'kept.record.spec.ts'),
      ...at('backend/leases', 'ticks.spec.ts', 'redis.ticks.spec.ts', 'local.ticks.spec.ts'),
      'test/unit/orders/cron.orders.spec.ts',
      'test/unit/orders/cron.quorum.orders.spec.ts',
      `${REDIS}/tick.scripts.spec.ts`,
      'test/integration/ticks.contract.spec.ts',
    ],
  },
  rows: {
    sources: [
      ...at('backend/tables', 'table.replica.ts', 'replica.rows.ts', 'replica.schedule.ts', 'unusable.rows.ts'),
      ...at(
        'backend/tables',
        'replica.loss.ts',
        'full.read.ts',
        'local.table.ts',
        'redis.table.ts',
        'table.ts',
        'table.scripts.ts',
      ),
    ],
    specs: [
      ...at('backend', 'tables', 'local.ports.spec.ts'),
      `${REDIS}/table.scripts.spec.ts`,
      'test/integration/tables.contract.spec.ts',
    ],
  },
  ends: {
    sources: at(
      'processes/restarts',
      'restart.policy.ts',
      'instance.end.ts',
      'restart.decisions.ts',
      'lost.processes.ts',
    ),
    specs: at('processes', 'restarts'),
  },
  sequences: {
    sources: [
      ...at('channels/sending', 'sequencer.ts', 'acknowledgements.ts'),
      ...at('channels', 'keyed.sequence.ts'),
      ...at('channels/receiving', 'gap.detector.ts', 'known.senders.ts'),
    ],
    specs: [
      ...at('channels', 'sending', 'receiving', 'keyed.sequence.spec.ts'),
      'test/unit/orders/sequences.orders.spec.ts',
      'test/unit/orders/acknowledgements.orders.spec.ts',
    ],
  },
  placement: {
    sources: at(
      'processes/placement',
      'placement.ts',
      'placement.exclusion.ts',
      'placement.moves.ts',
      'expected.owners.ts',
    ),
    specs: at('processes', 'placement'),
  },
  seal: {
    sources: [
      ...at('security', 'signer.ts', 'replay.guard.ts', 'secret.ts'),
      ...at('backend/transport/direct', 'relay.ts'),
      ...at('backend/directory', 'load.hints.ts'),
    ],
    specs: [
      ...at('', 'security').map((path) => path.replace('//', '/')),
      ...at('backend', 'transport/direct/relay.spec.ts', 'directory/load.hints.spec.ts'),
    ],
  },
};
