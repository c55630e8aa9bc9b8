/**
 * `foundation rollout -- COMMAND`: replaces the nodes one by one. Each is drained, the command restarts it, and the
 * next one follows only when it is back and everything runs. For machines that no orchestrator restarts.
 * Called by `run.ts`; underneath `ProcessManager.drain`, `undrain`, and the command as a child process without a shell.
 */
import { spawn } from 'node:child_process';
import { ArgumentError } from '../../errors/config.errors.js';
import { machineClock } from '../../time/clock.js';
import { awaitCluster } from '../awaited.cluster.js';
import type { Command } from '../command.js';
import { complaint, count, duration } from '../format.js';
import { type Observer, whileObserving } from '../observer.js';
import { type NodeSeen, type Snapshot, snapshotOf } from '../snapshot.js';
import { printable, tell, type Terminal } from '../terminal.js';

/** The words of a node's record that may become words of a command, which may give them to a shell elsewhere. */
const PLAIN = /^[\w.:@-]{1,255}$/;

/** What a step needs. */
interface Step {
  app: string;
  observer: Observer;
  command: readonly string[];
  ready: number;
  forMs: number;
  signal: AbortSignal;
  say: (line: string) => void;
}

/** Exit code 1 at the first node that does not come back; it and the others stay as they are. */
export const rollout: Command = async (config, { args, json, words, ready, isReadyGiven, forMs }, terminal) => {
  return whileObserving(config, async (observer) => {
    const { nodes } = await snapshotOf(config.appName, observer);
    if (nodes.length === 0) {
      // Done with nothing, as a name that is misspelt would be.
      const error = `No node of "${config.appName}" is there. Is --app, or FOUNDATION_APP_NAME, right?`;
      tell(terminal, json, { ok: false, replaced: [], error }, error);
      return 1;
    }
    const asked = args.length === 0 ? nodes : args.map((name) => nodeIn(nodes, name));
    const step = {
      ...{
        app: config.appName,
        observer,
        command: words,
        forMs,
        signal: terminal.stopped(),
        say: sayingTo(terminal, json),
      },
      // As many as there were, unless fewer are enough.
      ready: isReadyGiven ? ready : nodes.filter(({ state }) => state === 'up').length,
    };
    const replaced: string[] = [];
    for (const node of [...asked].sort(byName)) {
      const failure = await replace(node, step);
      if (failure !== undefined) {
        const line = `${failure} ${count(replaced.length, 'node')} of ${asked.length} replaced.`;
        tell(terminal, json, { ok: false, node: node.name, replaced, error: failure }, line);
        return 1;
      }
      replaced.push(node.name);
    }
    tell(terminal, json, { ok: true, replaced }, `${count(replaced.length, 'node')} replaced`);
    return 0;
  });
};

/** Resolves with why it was not, as a sentence. */
async function replace(node: NodeSeen, step: Step): Promise<string | undefined> {
  const { observer, forMs, say } = step;
  const words = wordsFor(node, step.command);
  const before = new Set(observer.membership.members().map(({ bootId }) => bootId));
  try {
    say(`${node.name}: draining`);
    await observer.processes.drain({ node: node.name, timeout: forMs });
    say(`${node.name}: ${words.join(' ')}`);
    await carriedOut(words, step);
    const more = ({ nodes }: Snapshot): string[] =>
      isReplaced(node, nodes, before) ? [] : [`${node.name} is not back`];
    const changed = (missing: readonly string[]): void => say(`${node.name}: ${missing.join('; ')}`);
    const { missing, waitedMs } = await awaitCluster(step.app, observer, { ...step, more, changed }, machineClock);
    if (missing.length === 0) return undefined;
    await takeBack(node, observer);
    return `Stopped after ${duration(waitedMs)}: ${missing.join('; ')}.`;
  } catch (error) {
    await takeBack(node, observer);
    return `Stopped at ${node.name}: ${complaint(error)}`;
  }
}

/** By one of its name, or by a new one: without `nodeName` the name of a node ends with its process. */
function isReplaced(node: NodeSeen, nodes: readonly NodeSeen[], before: ReadonlySet<string>): boolean {
  const isGone = nodes.every(({ bootId }) => bootId !== node.bootId);
  return isGone && nodes.some(({ bootId, state }) => !before.has(bootId) && state === 'up');
}

/** Lets the same process take work again, where it is still there. */
async function takeBack({ name, bootId }: NodeSeen, observer: Observer): Promise<void> {
  const isThere = observer.membership.members().some((each) => each.name === name && each.bootId === bootId);
  if (isThere) await observer.processes.undrain({ node: name }).catch(() => undefined);
}

function nodeIn(nodes: readonly NodeSeen[], name: string): NodeSeen {
  const node = nodes.find((each) => each.name === name);
  if (node === undefined)
    throw new ArgumentError('rollout', 'NODE', `"${name}"`, 'the name of a node that is in the cluster');
  return node;
}

/** The words of the command, with what the node says of itself in the places for it. */
function wordsFor(node: NodeSeen, command: readonly string[]): string[] {
  const { name, host, pid } = node;
  const values: Record<string, string> = { node: name, host, pid: String(pid) };
  return command.map((word) =>
    word.replace(/\{(node|host|pid)\}/g, (_, key: string) => {
      const value = values[key]!;
      if (!PLAIN.test(value)) throw new ArgumentError('rollout', `{${key}}`, `"${printable(value)}"`, 'a plain word');
      return value;
    }),
  );
}

/** What the command prints goes to stderr, so that what this one answers stays one answer. */
async function carriedOut([program = '', ...rest]: readonly string[], { forMs, signal }: Step): Promise<void> {
  const child = spawn(program, rest, { stdio: ['ignore', 2, 2], timeout: forMs, signal });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, killed) => {
      if (code === 0) resolve();
      else reject(new Error(`"${program}" ended with ${killed ?? `code ${code}`}`));
    });
  });
}

function sayingTo(terminal: Terminal, json: boolean): (line: string) => void {
  return (line) => {
    if (!json) terminal.out(printable(line));
  };
}

function byName(a: NodeSeen, b: NodeSeen): number {
  return a.name < b.name ? -1 : 1;
}
