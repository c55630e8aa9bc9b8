/**
 * The log of what becomes of nodes and processes, as this node sees it: one line for each, and sums of thousands.
 * Made by the lifecycle. Underneath: events of `Telemetry`.
 */
import type { ClusterView } from './cluster/cluster.view.js';
import type { FoundationConfig } from './config/config.js';
import { Log } from './logging/log.js';
import { type Kind, SummedLog } from './logging/summed.log.js';
import type { FoundationEvents, StopReason } from './telemetry/events.js';
import type { Telemetry } from './telemetry/telemetry.js';

const kind = (level: Kind['level'], one: string, more: string): Kind => ({ level, one, more });

const STARTED = kind('log', '{process} runs here, epoch {epoch}', '{count} more processes run here: {some}');
const TAKEN = kind(
  'log',
  '{process} runs here, epoch {epoch}, before on {before}',
  '{count} more processes run here that ran on other nodes before: {some}',
);
/** What is a crash is an error of its own. */
const STOPPED: Readonly<Record<Exclude<StopReason, 'crash'>, Kind>> = {
  stop: kind('log', '{process} was stopped here, epoch {epoch}', '{count} more processes were stopped here: {some}'),
  restart: kind('log', '{process} stopped here to restart, epoch {epoch}', '{count} more stopped to restart: {some}'),
  move: kind(
    'log',
    '{process} stopped here and moves to another node, epoch {epoch}',
    '{count} more processes stopped here and move to other nodes: {some}',
  ),
  shutdown: kind(
    'log',
    '{process} stopped here because this node drains, epoch {epoch}',
    '{count} more processes stopped here because this node drains: {some}',
  ),
  complete: kind('log', '{process} has completed, epoch {epoch}', '{count} more processes have completed: {some}'),
  'lease-lost': kind(
    'warn',
    '{process} stopped here because it lost its lease, epoch {epoch}',
    '{count} more processes stopped here because they lost their leases: {some}',
  ),
};
const JOINED = kind('log', 'Node {node} has joined', '{count} more nodes have joined: {some}');
const LEFT: Readonly<Record<FoundationEvents['cluster.node_left']['reason'], Kind>> = {
  shutdown: kind('log', 'Node {node} has left', '{count} more nodes have left: {some}'),
  timeout: kind(
    'warn',
    'Node {node} is down: it sent no heartbeat in its time',
    '{count} more nodes are down, they sent no heartbeat in their time: {some}',
  ),
  terminated: kind(
    'log',
    'Node {node} is down: its topology strategy says that it has ended',
    '{count} more nodes are down, their topology strategy says that they have ended: {some}',
  ),
};
const SUSPECTED = kind(
  'warn',
  'Node {node} is suspected: its heartbeats are late',
  '{count} more nodes are suspected, their heartbeats are late: {some}',
);
const HEARD = kind('log', 'Node {node} is heard again', '{count} more nodes are heard again: {some}');

/** Writes it until the returned function is called, which also says what is summed. */
export function writeChronicle(telemetry: Telemetry, self: string, log = new SummedLog()): () => void {
  const process = (one: Kind, { name, ...details }: { name: string; epoch: number; before?: string }): void =>
    log.say(one, name, { process: name, ...details });
  const node = (one: Kind, name: string): void => {
    if (name !== self) log.say(one, name, { node: name });
  };
  const detach = [
    telemetry.attach('process.started', (_, { name, epoch, before }) =>
      before === undefined ? process(STARTED, { name, epoch }) : process(TAKEN, { name, epoch, before }),
    ),
    telemetry.attach('process.stopped', (_, { name, epoch, reason }) => {
      if (reason !== 'crash') process(STOPPED[reason], { name, epoch });
    }),
    telemetry.attach('cluster.node_joined', (_, joined) => node(JOINED, joined.node)),
    telemetry.attach('cluster.node_left', (_, left) => node(LEFT[left.reason], left.node)),
    telemetry.attach('cluster.node_suspect', (_, { node: name, suspect }) => node(suspect ? SUSPECTED : HEARD, name)),
  ];
  return () => {
    for (const end of detach) end();
    log.flush();
  };
}

/** The node that has joined or left. */
export interface Chronicled {
  config: Pick<FoundationConfig, 'appName' | 'backend' | 'strategy' | 'isSwitchedOff'>;
  view: Pick<ClusterView, 'self' | 'members'>;
  backend: { endpoint: string };
}

/** Says that this node is a member; or that it is alone, which must not come as a surprise in production. */
export function sayFormed({ config, view, backend }: Chronicled, formationTimeMs: number): void {
  const node = view.self.name;
  if (config.backend === 'local') {
    if (config.isSwitchedOff === true) return sayOff(node);
    const message =
      'Not clustered: this process runs every process of application "{app}" itself, and so does each other instance of ' +
      'it. Set cluster: true, or FOUNDATION_CLUSTER, to share them';
    new Log().log(message, { app: config.appName, node });
    return;
  }
  new Log().log('Foundation cluster formed', {
    clusterId: config.appName,
    node,
    nodeCount: view.members().length,
    formationTimeMs,
    strategy: config.strategy,
    endpoint: backend.endpoint,
  });
}

/** A warning: whoever left the variable behind after a test has every process on every instance. */
function sayOff(node: string): void {
  const message =
    'Not clustered, because FOUNDATION_CLUSTER says so, and the options say otherwise: this process runs every process ' +
    'itself, and so does each other instance of the application. Unset the variable to share them';
  new Log().warn(message, { node });
}

/** Says that this node is no longer a member. */
export function sayLeft({ config, view }: Chronicled, ms: number): void {
  if (config.backend === 'local') return;
  new Log().log('This node has left the cluster', { clusterId: config.appName, node: view.self.name, ms });
}
