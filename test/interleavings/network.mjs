// The network of a world: connections between actors whose packets take a time that is drawn, and come in order.
// The way of a node to Redis may hold requests, replies or both back, and deliver them when it heals, as TCP does; or
// be cut; or let requests go astray: their connection ends, others take its place, and only then they arrive. The way
// from one node to another may be held, in one direction or both, or cut, while both reach Redis.
import { Buffer } from 'node:buffer';
import { SimulatedSocket } from './simulated.sockets.mjs';

/** How long a packet takes, in milliseconds. */
export const QUIET = { leastMs: 0.05, mostMs: 1, slowChance: 0.01, slowMs: 30 };
const GAP_MS = 1e-5;
/** What has gone astray arrives within so many milliseconds after its connection has ended. */
const ASTRAY_MS = 3000;
/** Who dials a node that hears nothing dials it again after so long, below all that it notices. */
const SYN_AGAIN_MS = 1000;
/** How many of the packets that nobody acknowledges are lost. */
const LOST_CHANCE = 0.05;
/** Ports that nobody has asked for, and those of clients. */
const FREE_PORT = 20_000;

export class Network {
  #listeners = new Map();
  #connections = new Set();
  #hearers = new Set();
  /** Names of two nodes, in the direction in which packets go → how they do not. */
  #apart = new Map();
  #lastPort = FREE_PORT;

  constructor(world, pace = QUIET) {
    this.world = world;
    this.pace = pace;
  }

  /** `accept(socket)` is called for each new connection. Returns how to take no more of them. */
  listen(port, actor, accept, isNode = false) {
    const listener = { actor, accept, isNode };
    this.#listeners.set(port, listener);
    return () => {
      if (this.#listeners.get(port) === listener) this.#listeners.delete(port);
    };
  }

  /** One that nobody has. */
  freePort() {
    return ++this.#lastPort;
  }

  connect(port, actor) {
    const client = new SimulatedSocket(this, actor, 'request');
    this.#dial(client, port);
    return client;
  }

  #dial(client, port) {
    const { actor } = client;
    this.world.at(this.world.now + this.#took(), actor, () => {
      if (client.destroyed) return;
      const listener = this.#listeners.get(port);
      if (listener === undefined || this.#isCut(actor, listener)) {
        return client.destroy(
          Object.assign(new Error(`connect ECONNREFUSED 127.0.0.1:${port}`), { code: 'ECONNREFUSED' }),
        );
      }
      const ways = [this.isHeld(actor, listener.actor), this.isHeld(listener.actor, actor)];
      if (listener.isNode && ways.includes(true)) {
        return void this.world.at(this.world.now + SYN_AGAIN_MS, actor, () => this.#dial(client, port), 'packet');
      }
      const server = new SimulatedSocket(this, listener.actor, 'reply');
      server.remotePort = client.localPort = this.freePort();
      const connection = new Connection(this, client, server, listener.isNode);
      this.#connections.add(connection);
      client.connecting = server.connecting = false;
      client.emit('connect');
      client.emit('ready');
      this.world.at(this.world.now + this.#took(), listener.actor, () => listener.accept(server), 'packet');
    });
  }

  #isCut(actor, listener) {
    return listener.isNode ? this.#way(actor, listener.actor) === 'cut' : actor.link === 'cut';
  }

  /** Whether packets from one node to another wait. */
  isHeld(from, to) {
    return this.#way(from, to) === 'held';
  }

  #way(from, to) {
    return this.#apart.get(`${from.name} ${to.name}`);
  }

  /** Changes how the connections of an actor to Redis behave. */
  link(actor, mode) {
    const before = actor.link;
    actor.link = mode;
    for (const each of [...this.#connections]) {
      if (each.client.actor !== actor || each.isLink) continue;
      if (mode === 'cut') each.reset();
      else if (before === 'astray') each.goAstray();
      else each.release();
    }
  }

  /**
   * Takes two nodes apart, by their names: `cut`, `blackhole`, or `oneway`, where the other one hears nothing of the
   * one. Returns how to bring them together.
   */
  part(one, other, mode) {
    const way = mode === 'cut' ? 'cut' : 'held';
    const ways = mode === 'oneway' ? [`${one} ${other}`] : [`${one} ${other}`, `${other} ${one}`];
    for (const each of ways) this.#apart.set(each, way);
    if (mode === 'cut') for (const each of this.#between(one, other)) each.reset();
    return () => {
      for (const each of ways) this.#apart.delete(each);
      for (const each of this.#between(one, other)) each.release();
    };
  }

  #between(one, other) {
    return [...this.#connections].filter(({ isLink, client, server }) => {
      const ends = [client.actor.name, server.actor.name];
      return isLink && ends.includes(one) && ends.includes(other);
    });
  }

  /** What becomes of the connections and the ports of one that was killed. */
  drop(actor) {
    for (const hearer of this.#hearers) if (hearer.actor === actor) this.#hearers.delete(hearer);
    for (const [port, listener] of this.#listeners) if (listener.actor === actor) this.#listeners.delete(port);
    for (const each of [...this.#connections]) {
      if (each.client.actor === actor || each.server.actor === actor) each.reset(actor);
    }
  }

  /** `heard(packet, from)` is called for each packet that comes to the port. Returns how to hear no more. */
  hear(port, actor, heard) {
    const hearer = { port, actor, heard };
    this.#hearers.add(hearer);
    return () => this.#hearers.delete(hearer);
  }

  /** Each packet takes its own time, and may be lost. */
  broadcast(port, actor, packet) {
    const from = { address: '127.0.0.1', port, family: 'IPv4', size: packet.length };
    for (const hearer of this.#hearers) {
      const isLost = this.world.random() < LOST_CHANCE || this.#way(actor, hearer.actor) !== undefined;
      if (hearer.port !== port || isLost) continue;
      const hear = () => this.#hearers.has(hearer) && hearer.heard(Buffer.from(packet), from);
      this.world.at(this.world.now + this.#took(), hearer.actor, hear, 'packet');
    }
  }

  forget(connection) {
    this.#connections.delete(connection);
  }

  took() {
    return this.#took();
  }

  #took() {
    const { leastMs, mostMs, slowChance, slowMs } = this.pace;
    const { random } = this.world;
    return leastMs + random() * (random() < slowChance ? slowMs : mostMs);
  }
}

class Connection {
  #held = { request: [], reply: [] };
  #last = { request: 0, reply: 0 };

  /** From node to node, or to Redis. */
  constructor(network, client, server, isLink) {
    this.network = network;
    this.client = client;
    this.server = server;
    this.isLink = isLink;
    client.connection = server.connection = this;
  }

  #holds(direction) {
    if (this.isLink) {
      const [from, to] = direction === 'request' ? [this.client, this.server] : [this.server, this.client];
      return this.network.isHeld(from.actor, to.actor);
    }
    const { link } = this.client.actor;
    return link === 'blackhole' || link === `no${direction}` || (link === 'astray' && direction === 'request');
  }

  send(direction, chunk) {
    if (this.#holds(direction)) this.#held[direction].push(chunk);
    else this.#pass(direction, chunk);
  }

  release() {
    for (const direction of ['request', 'reply']) {
      if (this.#holds(direction)) continue;
      for (const chunk of this.#held[direction].splice(0)) this.#pass(direction, chunk);
    }
  }

  /** Its client finds it reset; what it has sent arrives all the same, some time later. */
  goAstray() {
    const { world } = this.network;
    const held = this.#held.request.splice(0);
    if (held.length === 0) return;
    this.#last.request = world.now + world.random() * ASTRAY_MS;
    for (const chunk of held) this.#pass('request', chunk);
    this.#reset(this.client);
  }

  /** `null` ends that direction. */
  #pass(direction, chunk) {
    const { world } = this.network;
    const to = direction === 'request' ? this.server : this.client;
    const { link } = this.client.actor;
    const extra = typeof link === 'number' && !this.isLink ? link : 0;
    this.#last[direction] = Math.max(this.#last[direction] + GAP_MS, world.now + this.network.took() + extra);
    world.at(
      this.#last[direction],
      to.actor,
      () => {
        if (to.destroyed) return;
        to.push(chunk);
        if (chunk === null) this.network.forget(this);
      },
      'packet',
    );
  }

  /** A server that was killed takes nothing more, not even what is about to arrive; its clients hear of it later. */
  reset(killed) {
    this.network.forget(this);
    this.#reset(this.client);
    if (this.server.actor === killed && killed.state !== 'dead') destroy(this.server);
    else this.#reset(this.server);
  }

  #reset(socket) {
    const { world } = this.network;
    world.at(world.now + this.network.took(), socket.actor, () => destroy(socket));
  }

  /** One side has closed. */
  closed(direction) {
    this.send(direction, null);
  }
}

function destroy(socket) {
  if (!socket.destroyed) socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
}
