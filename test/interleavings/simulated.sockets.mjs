// The ends of connections in a world, as Node.js gives them: sockets and servers, over `network.mjs`.
import { Buffer } from 'node:buffer';
import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';

/** As much of a server as nodes use. */
export class SimulatedServer extends EventEmitter {
  #port;
  #close = () => undefined;

  constructor(network, actor, ...given) {
    super();
    this.network = network;
    this.actor = actor;
    for (const each of given) if (typeof each === 'function') this.on('connection', each);
  }

  listen({ port }, listening) {
    const { network, actor } = this;
    this.#port = port === 0 || port === undefined ? network.freePort() : port;
    this.#close = network.listen(this.#port, actor, (socket) => this.emit('connection', socket), true);
    network.world.at(network.world.now, actor, listening);
    return this;
  }

  address() {
    return { address: '127.0.0.1', port: this.#port, family: 'IPv4' };
  }

  unref() {
    return this;
  }

  /** Its connections go on. */
  close() {
    this.#close();
    return this;
  }
}

/** As much of a socket for packets as gossip uses. */
export class SimulatedDatagrams extends EventEmitter {
  #close = () => undefined;

  constructor(network, actor) {
    super();
    this.network = network;
    this.actor = actor;
  }

  bind(port) {
    const { network, actor } = this;
    this.#close = network.hear(port, actor, (packet, from) => this.emit('message', packet, from));
    network.world.at(network.world.now, actor, () => this.emit('listening'));
  }

  /** To everyone who listens to the port; it is taken, whatever becomes of it. */
  send(packet, port, group, done) {
    const { network, actor } = this;
    network.broadcast(port, actor, packet);
    network.world.at(network.world.now, actor, () => done(null));
  }

  addMembership() {}

  setMulticastTTL() {}

  setMulticastLoopback() {}

  unref() {
    return this;
  }

  close() {
    this.#close();
  }
}

/** As much of a socket as ioredis, the server and links use. */
export class SimulatedSocket extends Duplex {
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
