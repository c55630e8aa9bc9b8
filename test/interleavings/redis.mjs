// Redis in a world: the server of `js-redis-server`, with its own Lua, behind simulated sockets. It can be frozen, and
// killed and started again, with nothing in it or with what it had, then or some time before.
import { boot, bundle, compile } from './box.mjs';

/** Not where nodes look for one that nobody has named. */
export const PORT = 6390;
/** Redis says which life of it this is, and the leases go by that. */
const PLACE = '"os:mocked redis",';
const RUN_ID = '`run_id:${ctx.server.runId ??= require("crypto").randomBytes(20).toString("hex")}`,';

export async function compileRedis() {
  const code = await bundle('./test/interleavings/redis.entry.mjs', ['lua-redis-wasm', 'simulated']);
  if (!code.includes(PLACE)) throw new Error('js-redis-server has changed: no section "server" of INFO');
  return compile(code.replace(PLACE, PLACE + RUN_ID), 'redis.js');
}

export class SimulatedRedis {
  #ends;

  constructor(script, world, network, port = PORT) {
    this.port = port;
    this.network = network;
    this.actor = world.actor('redis');
    this.server = boot(script, { world, network, actor: this.actor });
  }

  /** Waits, in real time, for the WebAssembly of Lua; nothing in a world may wait for that. */
  async prepare() {
    await this.server.prepare();
  }

  /** What it has now, as a dump or an append-only file keeps it. */
  save() {
    return this.server.save();
  }

  /** With what was saved, or empty. */
  start(saved) {
    this.server.open(saved);
    this.#ends = this.network.listen(this.port, this.actor, (socket) => this.server.accept(socket));
  }

  /** Everything in it is lost that was not saved, and its connections. */
  kill() {
    this.#ends();
    this.network.drop(this.actor);
    this.server.close();
  }

  /** Everything in it is lost, and it goes on. */
  flush() {
    this.server.flush();
  }
}
