// The test of a run of the leases alone: does to nodes and servers what the steps say, and knows what it did.
import { checkHistory, describeViolations, historyNow, parseHistory } from 'nestjs-foundation/testing';
import { bootNode, loadingMs, servers } from 'simulated';

const START_MS = 1500;
/** After the last fault: the longest grace, a ttl, and what a connection takes to come back. */
const SETTLE_MS = 8000;
const OWNED_WITHIN_MS = 7000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function run({ nodes: names, processes, steps, ports, stopMs = 30, stale, report }) {
  const lines = [];
  const facts = { killed: [], frozen: [], cut: [], redisFrozen: [], rewound: [], dataLost: [], exits: [], wanted: [] };
  const nodes = new Map();
  const busy = new Map();
  const free = (what) => !(busy.get(what) > 0);
  const holding = async (what, ms, undo) => {
    busy.set(what, (busy.get(what) ?? 0) + 1);
    await pause(ms);
    await undo();
    busy.set(what, busy.get(what) - 1);
  };
  const start = (name) => {
    const options = { names: processes, ports, stopMs, stale };
    const env = { FOUNDATION_NODE_NAME: name };
    nodes.set(name, bootNode({ name, env, line: (line) => lines.push(line), options }));
  };
  /** With what was saved, which may be all it had, or empty. */
  const restart = async (server, forMs, saved, isAll = false) => {
    servers[server].kill();
    await pause(forMs);
    servers[server].start(saved);
    if (!isAll) facts.dataLost.push({ at: historyNow() });
  };
  /** Until it has been itself for a while. */
  const holdingServer = (server, forMs = 0) => holding(`redis ${server}`, forMs + 3000, () => undefined);
  const kinds = {
    kill({ node, forMs }) {
      const { pid } = nodes.get(node);
      nodes.get(node).kill();
      facts.killed.push({ pid, at: historyNow() });
      facts.exits.push({ node, pid, at: historyNow(), how: 'SIGKILL', injected: true });
      return holding(node, forMs, () => start(node));
    },
    terminate({ node, forMs }) {
      const { pid } = nodes.get(node);
      const left = new Promise((resolve, reject) => nodes.get(node).ask('leave', [], resolve, reject));
      return holding(node, forMs, async () => {
        await Promise.race([left.catch(() => undefined), pause(5000)]);
        nodes.get(node).kill();
        facts.exits.push({ node, pid, at: historyNow(), how: 'code 0', injected: true });
        start(node);
      });
    },
    freeze({ node, forMs }) {
      const { pid } = nodes.get(node);
      const fact = { pid, from: historyNow() };
      facts.frozen.push(fact);
      nodes.get(node).freeze();
      return holding(node, forMs, () => {
        nodes.get(node).thaw();
        fact.until = historyNow();
      });
    },
    cutOff({ node, mode, forMs }) {
      const fact = { node, from: historyNow() };
      facts.cut.push(fact);
      nodes.get(node).link(mode);
      return holding(node, forMs, () => {
        nodes.get(node).link('ok');
        fact.until = historyNow();
      });
    },
    pauseRedis({ server, forMs }) {
      const fact = { from: historyNow() };
      facts.redisFrozen.push(fact);
      servers[server].freeze();
      return holding(`redis ${server}`, forMs, () => {
        servers[server].thaw();
        fact.until = historyNow();
      });
    },
    restartRedis({ server, forMs }) {
      void restart(server, forMs);
      return holdingServer(server, forMs);
    },
    reloadRedis({ server, forMs }) {
      void restart(server, forMs, servers[server].save(), true);
      return holdingServer(server, forMs);
    },
    rewindRedis({ server, forMs }) {
      const fact = { from: historyNow() };
      facts.rewound.push(fact);
      const saved = servers[server].save();
      const rewind = async () => {
        await pause(forMs);
        await restart(server, loadingMs, saved);
        fact.until = historyNow();
      };
      void rewind();
      return holdingServer(server, forMs + loadingMs);
    },
    flush({ server }) {
      servers[server].flush();
      facts.dataLost.push({ at: historyNow() });
      return holdingServer(server);
    },
    move({ name }) {
      for (const node of nodes.values())
        node.ask(
          'move',
          [name],
          () => undefined,
          () => undefined,
        );
    },
    clock({ node, aheadMs, forMs }) {
      nodes.get(node).setClock(aheadMs);
      return holding(`clock ${node}`, forMs, () => nodes.get(node).setClock(0));
    },
  };
  for (const name of names) start(name);
  await pause(START_MS);
  const working = [];
  for (const { gapMs, action } of steps) {
    await pause(gapMs);
    const { kind, node, server } = action;
    if (node !== undefined && !free(kind === 'clock' ? `clock ${node}` : node)) continue;
    if (server !== undefined && (servers[server] === undefined || !mayBreak(server))) continue;
    report?.(`[${(historyNow() / 1000).toFixed(3)} ms] ${JSON.stringify(action)}`);
    working.push(kinds[kind](action));
  }
  await Promise.all(working);
  const healed = historyNow();
  for (const name of processes) {
    facts.wanted.push({ name, at: healed, withinMs: OWNED_WITHIN_MS, because: 'the end of all faults' });
  }
  await pause(SETTLE_MS);
  const history = parseHistory(`${lines.join('\n')}\n`);
  return { violations: describeViolations(checkHistory(history, facts), history), lines };

  /** Of several servers a majority always keeps what it has. */
  function mayBreak(server) {
    const broken = servers.filter((_, index) => !free(`redis ${index}`)).length;
    return free(`redis ${server}`) && broken < Math.max(1, Math.floor(servers.length / 2));
  }
}
