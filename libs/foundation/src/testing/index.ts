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
export type { SlotOwner } from './cluster/cluster.views.js';
export { TestCluster, type OwnerOptions } from './cluster/test.cluster.js';
export type { NodeToMake, TestClusterOptions } from './cluster/cluster.options.js';
export { ClusterHistory, type NodeLife } from './cluster/cluster.history.js';
export { TestNode, type AnyMethods } from './cluster/test.node.js';
export type { NodeView } from './cluster/node.agent.js';
export { NodeProcess, type NodeProcessOptions } from './cluster/node.process.js';
export type { Injuries, NodeExit } from './cluster/node.host.js';
export { NodeError } from './cluster/kit.messages.js';
export type { CutKind } from './cluster/node.ways.js';
export type { LocalApplication } from './cluster/local.host.js';
export { TestRedis, type TestRedisOptions } from './cluster/test.redis.js';
export type { Reply } from './cluster/redis.command.js';
export { TcpProxy, type ProxyMode, type RoleFault, type TcpProxyOptions } from './cluster/tcp.proxy.js';
export { freePort } from './cluster/free.port.js';
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
export { aclRule, type AclNeeds } from '../backend/redis/redis.acl.js';
