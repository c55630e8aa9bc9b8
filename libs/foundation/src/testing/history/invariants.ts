/**
 * The invariants of the cluster: what each says, and what holds the library to it. The comments of the library that
 * begin with INVARIANT name them by their numbers; `docs/reference/invariants.md` is written from this list by `npm run
 * docs:invariants`.
 */
import { acknowledgedHandled, acknowledgementsEnd } from './check.acknowledged.js';
import { callsEnd, callsKept } from './check.calls.js';
import { changesMade, handoffsOnce, stopsHold } from './check.changes.js';
import { configAgrees, configConverges, configKept } from './check.config.js';
import { timesOnce } from './check.cron.js';
import { durableDelivered } from './check.durable.js';
import { capacityHolds, jobsAnswered } from './check.jobs.js';
import { lossesTold } from './check.messages.js';
import { movesSettle } from './check.moves.js';
import {
  epochsRise,
  fencedBeforeTakeover,
  fencedWritesLast,
  fencedWritesRise,
  oneActor,
  oneOwner,
  ownedAgain,
  stoppedBeforeRelease,
} from './check.owners.js';
import { nothingUnexpected, policiesHold, restartsOnce } from './check.restarts.js';
import { servicesOfMembers } from './check.services.js';
import { lookupsTrue, viewsAgree } from './check.views.js';
import type { HistoryFacts, Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';
import type { Ownership } from './ownership.js';

/** Finds what breaks an invariant, in the order of the events. */
export type HistoryCheck = (
  events: readonly HistoryEvent[],
  ownerships: readonly Ownership[],
  facts: HistoryFacts,
) => Violation[];

/** One invariant. */
export interface Invariant {
  /** Never given to another one. */
  id: `I${number}`;
  sentence: string;
  /** What finds a breach in a history; `chaos:history` runs them all. */
  checks?: readonly HistoryCheck[];
  /** Specs that hold it besides, relative to the root of the repository. */
  specs?: readonly string[];
}

/** See the file header. */
export const INVARIANTS: readonly Invariant[] = [
  {
    id: 'I1',
    sentence: 'A name has at most one effective owner at a time: one that acts, and under the epoch that it has then.',
    checks: [
      (_events, ownerships) => oneOwner(ownerships),
      (events, ownerships) => oneActor(events, ownerships),
      (events) => stoppedBeforeRelease(events),
    ],
    specs: ['test/integration/leases.spec.ts', 'test/integration/quorum.spec.ts'],
  },
  {
    id: 'I2',
    sentence: 'A node that is cut off has fenced itself before another one becomes the owner.',
    checks: [(_events, ownerships, facts) => fencedBeforeTakeover(ownerships, facts)],
    specs: ['test/integration/leases.spec.ts'],
  },
  {
    id: 'I3',
    sentence: 'The epochs of a name rise strictly, over failover, loss of data and a clock that was set back.',
    checks: [(events) => epochsRise(events)],
    specs: ['test/integration/leases.spec.ts', 'test/integration/ports.spec.ts'],
  },
  {
    id: 'I4',
    sentence:
      'No fenced write is accepted that was sent after a higher epoch had written; of one owner the last counts.',
    checks: [(events) => fencedWritesRise(events), (events, _ownerships, facts) => fencedWritesLast(events, facts)],
    specs: ['test/integration/ports.spec.ts', 'test/integration/leases.spec.ts'],
  },
  {
    id: 'I5',
    sentence: 'What is wanted is owned again in time after a fault.',
    checks: [(events, ownerships, facts) => ownedAgain(events, ownerships, facts)],
    specs: ['test/integration/connections.spec.ts'],
  },
  {
    id: 'I6',
    sentence: 'A crash causes one restart, not more than are allowed in the window, and then one escalation.',
    checks: [(events, _ownerships, facts) => restartsOnce(events, facts)],
    specs: ['test/integration/ports.spec.ts'],
  },
  {
    id: 'I7',
    sentence: 'A service is found only while the node that offers it is a member.',
    checks: [(events) => servicesOfMembers(events)],
    specs: ['test/integration/services.spec.ts'],
  },
  {
    id: 'I8',
    sentence: 'Once nothing is broken any more, every node that is alive has the same view, and all of them are in it.',
    checks: [(events, _ownerships, facts) => viewsAgree(events, facts)],
  },
  {
    id: 'I9',
    sentence: 'A row that was removed never comes back, and one that was lost is restored with the version it had.',
    specs: ['libs/foundation/src/backend/tables/table.replica.spec.ts', 'test/integration/tables.spec.ts'],
  },
  {
    id: 'I10',
    sentence: 'No process ends by itself, and nothing is thrown that is not caught.',
    checks: [(events, _ownerships, facts) => nothingUnexpected(events, facts)],
    specs: ['test/integration/foreign.spec.ts', 'test/integration/fuzz.spec.ts'],
  },
  {
    id: 'I11',
    sentence:
      'What is not signed with the cookie, or cannot be read, changes nothing, and never counts as what it replaced.',
    specs: ['test/integration/security.spec.ts', 'libs/foundation/src/backend/tables/table.replica.spec.ts'],
  },
  {
    id: 'I12',
    sentence:
      'What others can make grow is bounded, and no call keeps Redis, or another client of it, for longer than a batch.',
    specs: ['test/unit/bounds.full.spec.ts', 'test/unit/bounds.spec.ts', 'test/integration/tables.spec.ts'],
  },
  {
    id: 'I13',
    sentence:
      'A temporary process starts once, a transient one not again after completing, until by a call, or all nodes were away.',
    checks: [(events, _ownerships, facts) => policiesHold(events, facts)],
    specs: ['test/integration/ends.spec.ts'],
  },
  {
    id: 'I14',
    sentence: 'A lookup names an owner that had the lease at some moment between question and answer.',
    checks: [lookupsTrue],
    specs: ['test/integration/leases.spec.ts', 'test/integration/keys.spec.ts'],
  },
  {
    id: 'I15',
    sentence:
      'A call is carried out as often as its caller is told, and only by the ownership that it was resolved for.',
    checks: [(events) => callsKept(events)],
    specs: ['test/integration/calls.spec.ts'],
  },
  {
    id: 'I16',
    sentence: 'Every call ends in its time, in a way that is documented, unless its caller ends before.',
    checks: [
      (events, _ownerships, facts) => callsEnd(events, facts),
      (events, _ownerships, facts) => acknowledgementsEnd(events, facts),
    ],
    specs: ['test/integration/calls.spec.ts'],
  },
  {
    id: 'I17',
    sentence: 'What was stopped stays down until it is started by a call, or all nodes have been away at once.',
    checks: [(events, ownerships) => stopsHold(events, ownerships)],
  },
  {
    id: 'I18',
    sentence: 'A restart is answered by an instance that began after it was requested, and so is a move.',
    checks: [changesMade],
    specs: ['test/integration/control.spec.ts'],
  },
  {
    id: 'I19',
    sentence: 'A state is handed over once, to the very next instance, and is the last word of the one that left it.',
    checks: [(events, _ownerships, facts) => handoffsOnce(events, facts)],
    specs: ['test/integration/moves.spec.ts', 'test/integration/ports.spec.ts'],
  },
  {
    id: 'I20',
    sentence: 'In a cluster in which nothing changes nothing moves.',
    checks: [(events, _ownerships, facts) => movesSettle(events, facts)],
    specs: ['test/integration/moves.spec.ts'],
  },
  {
    id: 'I21',
    sentence: 'A message that a node should have handled was handled, or was reported as missing or dropped.',
    checks: [(events, _ownerships, facts) => lossesTold(events, facts), (events) => acknowledgedHandled(events)],
    specs: ['test/integration/channels.spec.ts'],
  },
  {
    id: 'I22',
    sentence: 'A job that ran and completed is not reported as failed to the caller that started it.',
    checks: [(events) => jobsAnswered(events)],
    specs: ['test/integration/ends.spec.ts'],
  },
  {
    id: 'I23',
    sentence: 'A node owns at no time more than its capacity, and nothing that its labels exclude.',
    checks: [(events, ownerships) => capacityHolds(events, ownerships)],
    specs: ['test/integration/placement.spec.ts'],
  },
  {
    id: 'I24',
    sentence: 'A durable message is delivered to a group until one consumer has handled it, and no copy of it is.',
    checks: [(events, _ownerships, facts) => durableDelivered(events, facts)],
    specs: ['test/integration/channels.durable.spec.ts', 'test/integration/ports.spec.ts'],
  },
  {
    id: 'I25',
    sentence:
      'A node is judged by the times of its own heartbeat, never by a clock that jumped or by another connection.',
    specs: [
      'test/integration/clocks.spec.ts',
      'test/integration/connections.spec.ts',
      'test/integration/contract.spec.ts',
    ],
  },
  {
    id: 'I26',
    sentence:
      'A peer that does not prove to belong to the cluster is rejected everywhere, and keeps no other peer out.',
    specs: ['test/integration/security.spec.ts', 'libs/foundation/src/backend/transport/direct/link/sockets.spec.ts'],
  },
  {
    id: 'I27',
    sentence: 'A time of a cluster-wide cron job is fired at most once, and what is not fired is reported.',
    checks: [(events, _ownerships, facts) => timesOnce(events, facts)],
    specs: [
      'libs/foundation/src/cron/job.runner.spec.ts',
      'libs/foundation/src/cron/job.memory.spec.ts',
      'test/integration/ticks.contract.spec.ts',
      'test/integration/cron.spec.ts',
    ],
  },
  {
    id: 'I28',
    sentence: 'A cluster-wide value changes on all nodes or on none, by one row, and all go by the rows in one order.',
    checks: [
      (events) => configAgrees(events),
      (events, _ownerships, facts) => configConverges(events, facts),
      (events, _ownerships, facts) => configKept(events, facts),
    ],
    specs: ['test/integration/settings.spec.ts'],
  },
];
