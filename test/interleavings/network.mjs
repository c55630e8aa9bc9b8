// The network of a world: connections between actors whose packets take a time that is drawn, and come in order.
// A link of a node may hold requests, replies or both back, and deliver them when it heals, as TCP does; or cut; or let
// requests go astray: their connection ends, others take its place, and only then they arrive.
import { Buffer } from 'node:buffer';
import { Duplex } from 'node:stream';

/** How long a packet takes, in milliseconds. */
export const QUIET = { leastMs: 0.05, mostMs: 1, slowChance: 0.01, slowMs: 30 };
const GAP_MS = 1e-5;
/** What has gone astray arrives within so many milliseconds after its connection has ended. */
const ASTRAY_MS = 3000;

export class Network {
  #listeners = new Map();
  #connections = new Set();

  constructor(world, pace = QUIET) {
    this.world = world;
    this.pace = pace;
  }

  /** `accept(socket)` is called for each new connection. Returns how to end it: all are reset, and new ones refused. */
  listen(port, actor, accept) {
    const listener = { actor, accept };
    this.#listeners.set(port, listener);
    return () => {
      if (this.#listeners.get(port) === listener) this.#listeners.delete(port);
      for (const each of [...this.#connections]) if (each.server.actor === actor) each.reset();
    };
  }

  connect(port, actor) {
    const client = new SimulatedSocket(this, actor, 'request');
    const took = this.#took();
    this.world.at(this.world.now + took, actor, () => {
      if (client.destroyed) return;
      const listener = this.#listeners.get(port);
      if (listener === undefined || actor.link === 'cut') {
        return client.destroy(
          Object.assign(new Error(`connect ECONNREFUSED 127.0.0.1:${port}`), { code: 'ECONNREFUSED' }),
        );
      }
      const server = new SimulatedSocket(this, listener.actor, 'reply');
      const connection = new Connection(this, client, server);
      this.#connections.add(connection);
      client.connecting = server.connecting = false;
      client.emit('connect');
      client.emit('ready');
      this.world.at(this.world.now + this.#took(), listener.actor, () => listener.accept(server), 'packet');
    });
    return client;
  }

  /** Changes how the connections of an actor behave. */
  link(actor, mode) {
    const before = actor.link;
    actor.link = mode;
    for (const each of [...this.#connections]) {
      if (each.client.actor !== actor) continue;
      if (mode === 'cut') each.reset();
      else if (before === 'astray') each.goAstray();
      else each.release();
    }
  }

  /** What becomes of the connections of one that was killed. */
  drop(actor) {
    for (const each of [...this.#connections]) if (each.client.actor === actor) each.reset();
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

  constructor(network, client, server) {
    this.network = network;
    this.client = client;
    this.server = server;
    client.connection = server.connection = this;
  }

  #holds(direction) {
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
    const extra = typeof this.client.actor.link === 'number' ? this.client.actor.link : 0;
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

  reset() {
    this.network.forget(this);
    for (const socket of [this.client, this.server]) this.#reset(socket);
  }

  #reset(socket) {
    this.network.world.at(this.network.world.now + this.network.took(), socket.actor, () => {
      if (!socket.destroyed) socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
    });
  }

  /** One side has closed. */
  closed(direction) {
    this.send(direction, null);
  }
}

/** As much of a socket as ioredis and the server use. */
class SimulatedSocket extends Duplex {
  connecting = true;
  remoteAddress = '127.0.0.1';
  remotePort = 1;
  localPort = 1;
  connection;
  #ended = false;
  #timer;

  constructor(network, actor, direction) {
    super({ allowHalfOpen: false, autoDestroy: true });
    this.network = network;
    this.actor = actor;
    this.direction = direction;
    this.on('error', () => undefined);
  }

  _read() {}

  _write(chunk, encoding, done) {
    const owned = Buffer.isBuffer(chunk) ? Buffer.from(chunk) : Buffer.from(chunk, encoding);
    if (this.connection === undefined) this.once('connect', () => this.connection.send(this.direction, owned));
    else this.connection.send(this.direction, owned);
    done();
  }

  _final(done) {
    this.#close();
    done();
  }

  _destroy(error, done) {
    if (this.#timer !== undefined) this.network.world.cancel(this.#timer);
    this.#close();
    done(error);
  }

  #close() {
    if (this.#ended) return;
    this.#ended = true;
    this.connection?.closed(this.direction);
  }

  setTimeout(ms, listener) {
    if (this.#timer !== undefined) this.network.world.cancel(this.#timer);
    this.#timer = undefined;
    if (ms > 0) {
      if (listener !== undefined) this.once('timeout', listener);
      this.#timer = this.network.world.after(ms, this.actor, () => this.emit('timeout'));
    } else if (listener !== undefined) this.removeListener('timeout', listener);
    return this;
  }

  setNoDelay() {
    return this;
  }

  setKeepAlive() {
    return this;
  }

  ref() {
    return this;
  }

  unref() {
    return this;
  }

  address() {
    return { address: '127.0.0.1', port: 1, family: 'IPv4' };
  }

  resetAndDestroy() {
    return this.destroy();
  }
}
