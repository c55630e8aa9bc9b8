/**
 * The program of the embedded Redis: `js-redis-server` on one loopback port, until no client has been connected for a
 * while. Started by `embedded.redis.ts`, in a process of its own, and by tests; arguments: host, port, and
 * `stay` for one that does not end by itself.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { describe } from '../errors/describe.js';

/** How long it goes on without a connection: longer than the restart of an application under `nest start --watch`. */
const IDLE_MS = 5000;

/** What became of the start, as it is reported to the process that started it. */
export type EmbeddedStart =
  | { state: 'listens'; pid: number }
  | { state: 'port-taken' }
  | { state: 'not-installed' }
  | { state: 'failed'; reason: string };

const [host = '127.0.0.1', port = '', stay] = process.argv.slice(2);
// Not awaited at the top, which CommonJS does not have.
listen(host, Number(port)).then(
  () => tell({ state: 'listens', pid: process.pid }),
  (error: unknown) => tell(startOf(error)),
);

/**
 * Underneath: the parts of `js-redis-server/core`, put together by hand, because its own `listen` takes no host and
 * would open the port, which has no password, to the network.
 */
async function listen(host: string, port: number): Promise<void> {
  const { RedisServerState, Resp2Server, createRedisCommandExecutor } = await import('js-redis-server/core');
  const redis = new Resp2Server({
    server: new RedisServerState({ databaseCount: 16 }),
    executor: createRedisCommandExecutor(),
  });
  const door = createServer((socket) => admit(socket, (client) => redis.server.emit('connection', client)));
  if (stay === undefined) endWhenIdle(door);
  await new Promise<void>((resolve, reject) => {
    door.once('error', reject);
    door.listen({ host, port }, resolve);
  });
}

/** How every client of Redis begins, with an array, and how nodes probe whether it is one. */
const COMMAND = /^(?:\*|PING\r\n)/;

/**
 * INVARIANT (I26): only a client of Redis is accepted. A page in the browser of a developer can send requests to
 * this port, and `js-redis-server` would pass over the lines of the head and carry out the body. Redis closes on them;
 * a request never begins with `*`, whatever its method. Commands on a line of their own, as one types them into a
 * terminal, go with that.
 */
function admit(socket: Socket, enter: (socket: Socket) => void): void {
  socket.on('error', () => undefined);
  socket.once('data', (first: Buffer) => {
    if (!COMMAND.test(first.toString('latin1', 0, 6))) return void socket.destroy();
    socket.pause();
    socket.unshift(first);
    enter(socket);
    socket.resume();
  });
}

function endWhenIdle(server: Server): void {
  const end = (): never => process.exit();
  let connected = 0;
  let idle = setTimeout(end, IDLE_MS);
  server.on('connection', (socket) => {
    clearTimeout(idle);
    connected += 1;
    socket.once('close', () => {
      connected -= 1;
      if (connected === 0) idle = setTimeout(end, IDLE_MS);
    });
  });
}

function startOf(error: unknown): EmbeddedStart {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return { state: 'port-taken' };
  // By `import` and by `require`, of which the second says on more lines from where.
  const isMissing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
  if (isMissing && describe(error).includes('js-redis-server')) return { state: 'not-installed' };
  return { state: 'failed', reason: describe(error) };
}

/** Then lets go of the process that started it; one that does not listen has nothing left to do and ends. */
function tell(start: EmbeddedStart): void {
  const done = (): void => {
    if (process.connected) process.disconnect();
    if (start.state !== 'listens') process.exit();
  };
  if (stay !== undefined && start.state !== 'listens') process.stderr.write(`${JSON.stringify(start)}\n`);
  if (process.send === undefined) done();
  else process.send(start, done);
}
