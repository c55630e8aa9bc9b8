/**
 * The entry `nestjs-foundation/testing`: what tests of Foundation, and of applications on it, need.
 */
export { checkHistory, describeViolations } from './check.history.js';
export type { HistoryFacts, Violation } from './history.facts.js';
export { eventually, type EventuallyOptions } from './eventually.js';
export {
  historyFile,
  historyNow,
  parseHistory,
  recordHistory,
  type HistoryEvent,
  type HistoryRecorder,
  type HistorySink,
} from './history.js';
export { ownershipsOf, type Injuries, type Ownership } from './ownership.js';
export { transportContract, type TestRunner, type TransportCluster } from './transport.contract.js';
export type { Transport } from '../tools/transport.js';
export type { Lane } from '../tools/lane.js';
export { aclRule } from '../tools/redis.rights.js';
