/**
 * Pure: what the topology strategies say → what to say about it.
 * Called by the steps about them.
 */
import type { NodeRecord } from '../../backend/directory/directory.js';
import { DROPPED } from '../../cluster/topologies/announce/packet.drops.js';
import { PeerIndex } from '../../cluster/topologies/peers.js';
import type { StrategyStatus } from '../../cluster/topologies/strategy.runner.js';
import type { Peer } from '../../config/topology.strategy.js';
import { count } from '../format.js';
import { failed, type Finding, ok, warning } from './doctor.step.js';

/** The error of a strategy ends with what mends it, a manifest for instance, after its first line. */
export function strategyFinding({
  strategy,
  state,
  peers,
  redisFound,
  error,
  dropped,
  counters = {},
}: StrategyStatus): Finding {
  if (error !== undefined || state === 'failing') {
    const [first = '', ...rest] = (error ?? 'it fails').split('\n');
    return failed(`${strategy}: ${first}`, rest.length === 0 ? undefined : rest.join('\n'));
  }
  if (state === 'starting')
    return failed(`${strategy}: no answer yet`, 'Check whether its source can be reached from here.');
  const redis = redisFound ? 'and where Redis is' : 'and no Redis';
  const text = `${strategy} finds ${count(peers, 'peer')} ${redis}`;
  const counted = Object.entries(counters).filter(([, number]) => number > 0);
  const told = counted.map(([name, number]) => `${name} ${number}`).join(', ');
  if (counted.some(([name]) => name.startsWith(DROPPED)))
    return warning(
      `${text}; packets: ${told}`,
      'The log says what is wrong with those that are dropped, and who sends them.',
    );
  return dropped > 0 ? warning(`${text}; ${count(dropped, 'peer')} could not be used`) : ok(text);
}

/** Peers that take work and are no members, and members that no strategy knows. */
export function peerFindings(peers: readonly Peer[], members: readonly NodeRecord[]): Finding[] {
  const ready = peers.filter(({ state }) => state === 'ready');
  const index = new PeerIndex(peers);
  const present = new Set(members.flatMap((member) => index.of(member)));
  const absent = ready.filter((peer) => !present.has(peer));
  const unknown = members.filter((member) => index.of(member).length === 0);
  const comparable = ready.some(({ node, host }) => node !== undefined || host !== undefined);
  if (!comparable) return [ok(`${count(peers.length, 'peer')}, which the strategies do not tell by name`)];
  const findings = [
    ...absent.map(({ id, node, host, address }) =>
      failed(
        `peer ${node ?? host ?? address ?? id} is ready and no member`,
        'Look in its log why it has not joined: another Redis, another appName, or it is no node of this application.',
      ),
    ),
    ...unknown.map(({ name }) => warning(`node "${name}" is a member and no strategy finds it`)),
  ];
  return findings.length > 0 ? findings : [ok(`all ${count(ready.length, 'peer')} that are ready are members`)];
}
