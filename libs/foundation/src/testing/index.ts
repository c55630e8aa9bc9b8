/**
 * The entry `nestjs-foundation/testing`: what tests of Foundation, and of applications on it, need.
 */
export { checkHistory, describeViolations } from './history/check.history.js';
export type { HistoryFacts, Violation } from './history/history.facts.js';
export { fakeCronRun, type FakeCronRun } from './contexts/fake.cron.run.js';
export {
  fakeProcessContext,
  type FakeProcessContext,
  type FakeProcessContextOptions,
  type FakeProcessEnd,
} from './contexts/fake.process.context.js';
export { FoundationTestingModule, type FoundationTestingOptions } from './local/foundation.testing.module.js';
export { ManualClock } from './local/manual.clock.js';
export { ManualClockError } from '../errors/testing.errors.js';
export { TestProcesses } from './local/test.processes.js';
export { eventually, type EventuallyOptions } from './eventually.js';
export {
  historyFile,
  historyNow,
  parseHistory,
  recordHistory,
  type HistoryEvent,
  type HistoryRecorder,
  type HistorySink,
} from './history/history.js';
export { ownershipsOf, type OwnershipViolations, type Ownership } from './history/ownership.js';
export type { ContractCluster, ContractOptions, TestRunner } from './contracts/contract.js';
export { directoryContract, type DirectoryCluster, type DirectoryNode } from './contracts/directory.contract.js';
export { leasesContract, type LeaseCluster, type LeaseNode } from './contracts/leases.contract.js';
export { restartsContract, type RestartsCluster } from './contracts/restarts.contract.js';
export { streamsContract, type StreamsCluster } from './contracts/streams.contract.js';
export { tableContract, type TableCluster } from './contracts/table.contract.js';
export type { Bundle } from '../wire/bundle.js';
export { transportContract, type TransportCluster } from './contracts/transport.contract.js';
export type { Leases } from '../backend/leases/leases.js';
export type { NodeDirectory } from '../backend/directory/directory.js';
export type { Restarts } from '../backend/restarts/restarts.js';
export type { Streams } from '../backend/streams/streams.js';
export type { Table } from '../backend/tables/table.js';
export type { Transport } from '../backend/transport/transport.js';
export type { Lane } from '../wire/lane.js';
export { aclRule } from '../backend/redis/redis.acl.js';
