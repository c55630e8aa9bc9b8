/**
 * Pure: what the demo knows of its nodes → what the page shows.
 */
import type { Status } from '../src/status.controller.js';
import { type Happening, ownerships } from './history.js';
import { takeovers } from './takeovers.js';
import type { LineTick } from './tick.line.js';

const SHOWN_TAKEOVERS = 8;

/** What the page asks of a node of the demo. */
export interface ShownNode {
  name: string;
  pid: number | undefined;
  port: number | undefined;
  status: Status | undefined;
}

/** One card of the page. */
export interface NodeView {
  name: string;
  /** `dead`, `starting`, or the state that the node says of itself. */
  state: string;
  /** Names the life that a button ends, so that a late click does not end the next one. */
  pid: number | null;
  port: number | null;
  isOwner: boolean;
  /** The members that are up, as this node sees them. */
  members: string[];
  /** The last tick that this node heard. */
  tick: { price: number; tick: number } | null;
}

/** One take-over of the table, and the one that is awaited. */
export interface TakeoverView {
  from: string;
  to: string | null;
  epoch: number | null;
  ms: number;
}

/** All that the page shows; what is sent to it, as JSON. */
export interface PageView {
  redis: string;
  singleton: string;
  owner: { node: string; epoch: number } | null;
  nodes: NodeView[];
  /** The newest first. */
  takeovers: TakeoverView[];
  /** How long ago, price, number and owner of each tick, the oldest first. */
  line: [ago: number, price: number, tick: number, from: string][];
}

/** What is not in the nodes. */
export interface PageFacts {
  redis: string;
  singleton: string;
  happenings: readonly Happening[];
  line: readonly LineTick[];
  now: number;
}

export function pageView(
  nodes: readonly ShownNode[],
  { redis, singleton, happenings, line, now }: PageFacts,
): PageView {
  const owner = ownerships(happenings, singleton).find(
    ({ startedAt, endedAt }) => startedAt !== undefined && endedAt === Infinity,
  );
  return {
    ...{ redis, singleton },
    owner: owner === undefined ? null : { node: owner.node, epoch: owner.epoch },
    nodes: nodes.map((node) => nodeView(node, owner?.node)),
    takeovers: takeovers(happenings, singleton, now)
      .reverse()
      .slice(0, SHOWN_TAKEOVERS)
      .map(({ from, to = null, epoch = null, ms }) => ({ from, to, epoch, ms })),
    line: line.map(({ at, price, tick, from }) => [Math.round(now - at), price, tick, from]),
  };
}

function nodeView({ name, pid, port, status }: ShownNode, owner: string | undefined): NodeView {
  const last = status?.ticks.last.at(-1);
  return {
    name,
    state: pid === undefined ? 'dead' : (status?.node.state ?? 'starting'),
    pid: pid ?? null,
    port: port ?? null,
    isOwner: name === owner,
    members: status?.members.filter(({ state }) => state === 'up').map((member) => member.name) ?? [],
    tick: last === undefined ? null : { price: last.price, tick: last.tick },
  };
}
