/**
 * The entry `nestjs-foundation/testing`: what tests of Foundation, and of applications on it, need.
 */
export { checkHistory, describeViolations } from './history/check.history.js';
export type { HistoryFacts, Violation } from './history/history.facts.js';
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
export { transportContract, type TestRunner, type TransportCluster } from './contracts/transport.contract.js';
export type { Transport } from '../backend/transport/transport.js';
export type { Lane } from '../wire/lane.js';
export { aclRule } from '../backend/redis/redis.acl.js';
