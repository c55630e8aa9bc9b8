/**
 * Puts together what the facade over processes delegates to.
 * Called by the composition root.
 */
import type { Backend } from '../backend/backend.js';
import type { CallRouter } from '../calls/call.router.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import type { FoundationConfig } from '../config/config.js';
import type { IssuedCommands } from '../context/actor.js';
import type { NodeControl } from './node.control.js';
import { Patience } from './patience.js';
import { ProcessCommands } from './process.commands.js';
import { ProcessFinder } from './process.finder.js';
import { ProcessGatherer } from './process.gatherer.js';
import { ProcessRefs } from './process.refs.js';
import type { ProcessRegistry } from './process.registry.js';
import { ProcessStarter } from './process.starter.js';
import { ProcessWaiter } from './process.waiter.js';
import type { ReplacedProcesses } from './replaced.processes.js';
import type { Supervisor } from './supervision/supervisor.js';
import type { ProcessTable } from './table/process.table.js';

/** What the parts are made of. */
export interface ProcessIngredients {
  config: FoundationConfig;
  backend: Backend;
  membership: ClusterView;
  table: ProcessTable;
  registry: ProcessRegistry;
  supervisor: Supervisor;
  replaced: ReplacedProcesses;
  calls: CallRouter;
  control: Pick<NodeControl, 'drain' | 'undrain'>;
  checkWait: (name: string) => Promise<void>;
  commands: Pick<IssuedCommands, 'issued'>;
}

/** What the facade delegates to. */
export interface ProcessParts {
  starter: ProcessStarter;
  commands: ProcessCommands;
  finder: ProcessFinder;
  gatherer: ProcessGatherer;
}

/** See the file header. */
export function assembleProcesses(given: ProcessIngredients): ProcessParts {
  const { backend, membership, table, calls } = given;
  const patience = new Patience(backend.endpoint, membership);
  const refs: ProcessRefs = new ProcessRefs(table, calls, (name) => commands.stop(name));
  const shared = { ...given, refs, patience };
  const waiter = new ProcessWaiter(shared);
  const commands: ProcessCommands = new ProcessCommands({ ...shared, waiter });
  const starter = new ProcessStarter({ ...shared, leases: backend.leases, waiter });
  return { starter, commands, finder: new ProcessFinder(shared), gatherer: new ProcessGatherer(shared) };
}
