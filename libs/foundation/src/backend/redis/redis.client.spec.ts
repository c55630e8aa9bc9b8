import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Cluster, type ClusterOptions, Redis } from 'ioredis';
import type { RedisClient } from '../../config/options.js';
import { eventually } from '../../testing/eventually.js';
import {
  createClient,
  createPubSubClient,
  endWhenSilent,
  listenFirst,
  readBeforeTimeout,
  saidBy,
} from './redis.client.js';
import { checkOptions, OWN_OF_CLUSTER, OWN_OPTIONS } from './redis.endpoint.js';

class FakeStream extends EventEmitter {
  destroyed = false;
  destroy = jest.fn((_error: Error) => {
    this.destroyed = true;
    this.emit('close');
  });
}

/** A client as ioredis is inside: a stream, and the commands that have no answer yet. */
class FakeClient extends EventEmitter {
  isCluster = false;
  stream = new FakeStream();
  commandQueue: object[] = [];
  sendCommand = (): Promise<unknown> => {
    this.commandQueue.push({});
    return Promise.resolve();
  };
  answer(): void {
    this.commandQueue.shift();
    this.stream.emit('data', Buffer.from('+OK'));
  }
}

describe('a connection that is watched for silence', () => {
  let client: FakeClient;
  const send = () => (client as unknown as Redis).sendCommand({} as never);

  beforeEach(() => {
    jest.useFakeTimers();
    client = new FakeClient();
    endWhenSilent(client as unknown as Redis, 400);
  });
  afterEach(() => void jest.useRealTimers());

  it('is ended when a command is not answered for so long', async () => {
    void send();
    await jest.advanceTimersByTimeAsync(399);
    expect(client.stream.destroyed).toBe(false);
    await jest.advanceTimersByTimeAsync(2);
    expect(client.stream.destroy.mock.calls[0]![0].message).toContain('did not answer for 400 ms');
  });

  it('is left alone while it is idle, and while answers come', async () => {
    await jest.advanceTimersByTimeAsync(5000);
    for (let turn = 0; turn < 10; turn++) {
      void send();
      await jest.advanceTimersByTimeAsync(300);
      client.answer();
    }
    await jest.advanceTimersByTimeAsync(5000);
    expect(client.stream.destroyed).toBe(false);
  });

  it('has one timer and one listener for any number of commands, and none once it is idle', async () => {
    const watched = (): number[] => [
      jest.getTimerCount(),
      client.stream.listenerCount('data'),
      client.stream.listenerCount('close'),
    ];
    for (let turn = 0; turn < 100; turn++) {
      void send();
      await jest.advanceTimersByTimeAsync(1);
      client.answer();
    }
    expect(watched()).toEqual([1, 1, 1]);
    await jest.advanceTimersByTimeAsync(1000);
    expect(watched()).toEqual([0, 0, 0]);
    // One that is rare leaves nothing that would wake the node up.
    void send();
    client.answer();
    expect(watched()).toEqual([0, 0, 0]);
  });

  it('is ended when a command that follows others is not answered for so long', async () => {
    void send();
    await jest.advanceTimersByTimeAsync(100);
    client.answer();
    await jest.advanceTimersByTimeAsync(100);
    void send();
    await jest.advanceTimersByTimeAsync(398);
    expect(client.stream.destroyed).toBe(false);
    await jest.advanceTimersByTimeAsync(5);
    expect(client.stream.destroyed).toBe(true);
  });

  it('is watched on when only one of two commands was answered', async () => {
    void send();
    void send();
    client.answer();
    await jest.advanceTimersByTimeAsync(405);
    expect(client.stream.destroyed).toBe(true);
  });

  it('is watched again when it is replaced', async () => {
    void send();
    client.stream.destroy(new Error('cut'));
    client.commandQueue = [];
    client.stream = new FakeStream();
    await jest.advanceTimersByTimeAsync(1000);
    expect(client.stream.destroyed).toBe(false);
    void send();
    await jest.advanceTimersByTimeAsync(405);
    expect(client.stream.destroyed).toBe(true);
  });

  it('is not ended when the answer came while the event loop was blocked', async () => {
    void send();
    // The timer fires first, and then what has arrived is read.
    setTimeout(() => client.answer(), 400);
    await jest.advanceTimersByTimeAsync(1000);
    expect(client.stream.destroyed).toBe(false);
  });
});

it('what Redis says before it closes a new connection is kept until one works', () => {
  const client = new FakeClient();
  const asRedis = listenFirst(client as unknown as Redis);
  client.emit('connect');
  client.stream.emit('data', Buffer.from('-ERR max number of clients reached\r\n'));
  expect(saidBy(asRedis)).toBe('ERR max number of clients reached');
  client.emit('connect');
  client.stream.emit('data', Buffer.from('+OK\r\n-NOPERM\r\n'));
  expect(saidBy(asRedis)).toBe('ERR max number of clients reached');
  client.emit('ready');
  expect(saidBy(asRedis)).toBeUndefined();
});

describe('a command with a timeout', () => {
  /** As ioredis sends a command: it asks it for a timer, and settles it when the answer is read. */
  class FakeCommand {
    isSettled = false;
    reject = jest.fn((_error: Error) => void (this.isSettled = true));
    setTimeout = (_ms: number): void => undefined;
  }
  let command: FakeCommand;

  beforeEach(() => {
    jest.useFakeTimers();
    const client = Object.assign(new FakeClient(), {
      sendCommand: (sent: FakeCommand) => {
        sent.setTimeout(200);
        return Promise.resolve();
      },
    });
    command = new FakeCommand();
    void readBeforeTimeout(client as unknown as Redis).sendCommand(command as never);
  });
  afterEach(() => void jest.useRealTimers());

  it('is given up when nothing has come', async () => {
    await jest.advanceTimersByTimeAsync(199);
    expect(command.reject).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(2);
    expect(command.reject.mock.calls[0]![0].message).toBe('Command timed out');
  });

  it('is not given up when the answer came while the event loop was blocked', async () => {
    // The timer fires first, and then what has arrived is read.
    setTimeout(() => (command.isSettled = true), 200);
    await jest.advanceTimersByTimeAsync(1000);
    expect(command.reject).not.toHaveBeenCalled();
  });
});

describe('a connection to a Redis that is read-only', () => {
  it('is replaced once, however many commands that refuses', async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      socket
        .on('error', () => undefined)
        .on('data', (chunk: Buffer) => {
          for (const [, word] of String(chunk).matchAll(/^\*\d+\r\n\$\d+\r\n(\w+)/gm)) {
            socket.write(word === 'set' ? '-READONLY\r\n' : '+OK\r\n');
          }
        });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const reconnectOnError = (error: Error): boolean => error.message.includes('READONLY');
    const client = createClient({ host: '127.0.0.1', port }, { enableReadyCheck: false, reconnectOnError });
    client.on('error', () => undefined);
    const streamOf = (): EventEmitter => (client as unknown as { stream: EventEmitter }).stream;
    const listeners = async (): Promise<number[]> => {
      await once(client, 'ready');
      const stream = streamOf();
      const before = stream.listenerCount('close');
      await Promise.allSettled(Array.from({ length: 50 }, () => client.set('key', '1')));
      return [before, stream.listenerCount('close')];
    };
    for (let life = 1; life <= 2; life++) {
      const [before, after] = await listeners();
      expect(after! - before!).toBeLessThanOrEqual(1);
    }
    await eventually(() => connections === 3, { what: 'a third connection', timeout: 10_000 });
    client.disconnect();
    server.close();
  });
});

describe('a client of a Redis Cluster', () => {
  const clusterOptionsOf = (options: Record<string, unknown>): ClusterOptions => {
    const client = createClient({ cluster: [{ host: 'redis-0.example', port: 1 }], options }, { lazyConnect: true });
    client.disconnect();
    return (client as unknown as Cluster).options;
  };
  const lookedUp = ({ dnsLookup }: ClusterOptions): string[] => {
    const found: string[] = [];
    dnsLookup?.('redis-0.example', (_error, address) => void found.push(address));
    return found;
  };

  it('connects by name over TLS, for which the certificates are', () => {
    expect(lookedUp(clusterOptionsOf({ tls: { ca: 'x' } }))).toEqual(['redis-0.example']);
  });

  it('takes what ioredis has for a Cluster out of the options', () => {
    const natMap = { '10.0.0.1:7001': { host: 'redis.example', port: 7001 } };
    const dnsLookup: ClusterOptions['dnsLookup'] = (_name, done) => void done(null, '192.0.2.1');
    const options = clusterOptionsOf({ natMap, dnsLookup, tls: { ca: 'x' }, family: 6 });
    expect(lookedUp(options)).toEqual(['192.0.2.1']);
    expect(options.natMap).toEqual(natMap);
    expect(options.redisOptions).toMatchObject({ tls: { ca: 'x' }, family: 6 });
  });
});

describe('the options of our own connections', () => {
  const theirs = {
    autoPipeliningIgnoredCommands: ['get'],
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    blockingTimeout: 5,
    commandTimeout: 5,
    enableAutoPipelining: true,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    monitor: true,
    readOnly: true,
    replyMapping: 'resp3' as const,
    role: 'slave' as const,
    scripts: { get: { lua: 'return 1' } },
    showFriendlyErrorStack: true,
    socketTimeout: 5,
    stringNumbers: true,
  };
  const own = { ...OWN_OPTIONS, lazyConnect: true };
  /** Of the connection, and of each node of a Cluster. */
  const expectOwn = (client: { options: object; disconnect: () => void }): void => {
    client.disconnect();
    const { options } = client as { options: ClusterOptions & typeof theirs };
    const isCluster = 'redisOptions' in options;
    const { enableOfflineQueue, ...ofNodes } = own;
    expect(isCluster ? options.redisOptions : options).toMatchObject({ ...ofNodes, family: 4 });
    if (!isCluster) return void expect(options).toMatchObject({ enableOfflineQueue });
    expect(options).toMatchObject({ ...OWN_OF_CLUSTER, enableOfflineQueue: true, lazyConnect: true });
    expect(options.redisOptions).toHaveProperty('db', 0);
  };
  const given = { ...theirs, lazyConnect: true, family: 4 };
  const asAdopted = (client: Redis | Cluster): RedisClient => client;

  it('are not taken over of options that are given', () => {
    const { scripts: _scripts, autoPipeliningIgnoredCommands: _ignored, ...texts } = theirs;
    const said = Object.entries({ ...texts, clientInfoTag: 'shop' }).map(([name, value]) => `${name}=${value}`);
    const query = said.join('&');
    const byUrl = createClient({ url: `redis://127.0.0.1:1/2?${query}`, options: given }, own);
    expect(byUrl.options).toMatchObject({ clientInfoTag: 'shop', db: 2, port: 1 });
    expectOwn(byUrl);
    expectOwn(createClient({ host: '127.0.0.1', options: given }, own));
    expectOwn(createPubSubClient({ host: '127.0.0.1', options: given }, own));
    expectOwn(createClient({ cluster: [{ host: '127.0.0.1', port: 1 }], options: given }, own));
    expectOwn(createPubSubClient({ cluster: [{ host: '127.0.0.1', port: 1 }], options: given }, own));
  });

  it('are not taken over of a client of the application', () => {
    const single = new Redis(given);
    expectOwn(createClient(asAdopted(single), own));
    const nodes = [
      { host: '127.0.0.1', port: 1, stringNumbers: true },
      'redis://127.0.0.1:2?stringNumbers=true&family=4',
    ];
    const several = new Cluster(nodes, {
      ...{ scaleReads: 'slave', enableAutoPipelining: true, enableReadyCheck: false, shardedSubscribers: true },
      ...{ showFriendlyErrorStack: true, enableOfflineQueue: false, scripts: theirs.scripts, lazyConnect: true },
      ...{ clusterNodeRetryStrategy: () => 1, retryDelayOnMoved: 7, retryDelayOnTryAgain: 7 },
      redisOptions: { ...theirs, family: 4, db: 3 },
    });
    const ours = createClient(asAdopted(several), own);
    expectOwn(ours);
    const { startupNodes } = ours as unknown as { startupNodes: unknown };
    expect(startupNodes).toEqual([{ host: '127.0.0.1', port: 1 }, 'redis://127.0.0.1:2?family=4']);
  });

  it('are decided about, each that ioredis has', () => {
    const folder = createRequire(import.meta.url)
      .resolve('ioredis')
      .replace(/index\.js$/, '');
    const optionsIn = (file: string, type: string): string[] => {
      const [, body = ''] =
        new RegExp(`interface ${type} [^{]*\\{\\n(.*?)\\n\\}`, 's').exec(
          readFileSync(`${folder}${file}.d.ts`, 'utf8'),
        ) ?? [];
      return [...body.matchAll(/^ {4}(\w+)\?:/gm)].map(([, name]) => name!);
    };
    // Where Redis is, how to get in, and what no command notices.
    const taken = [
      'Connector',
      'clientInfoTag',
      'db',
      'disableClientInfo',
      'keepAlive',
      'noDelay',
      'password',
      'protocol',
    ];
    const ofNodes = ['dnsLookup', 'natMap', 'resolveSrv', 'slotsRefreshInterval', 'useSRVRecords'];
    // What each role has its own of, or `RedisConnections` and `clusterOptions` set.
    const set = ['connectTimeout', 'connectionName', 'maxRetriesPerRequest', 'reconnectOnError', 'retryStrategy'];
    const ofCluster = ['clusterRetryStrategy', 'enableOfflineQueue', 'lazyConnect', 'maxRedirections', 'redisOptions'];
    const delays = ['retryDelayOnClusterDown', 'retryDelayOnFailover', 'slotsRefreshTimeout'];
    // How long a start waits, or a part of what is switched off, or of `flushQueue`.
    const idle = ['blockingTimeoutGrace', 'commandQueue', 'maxLoadingRetryTime', 'offlineQueue', 'username'];
    const decided = new Set([...Object.keys(OWN_OPTIONS), ...taken, ...set, ...idle]);
    const redis = optionsIn('redis/RedisOptions', 'CommonRedisOptions');
    expect(redis.length).toBeGreaterThan(30);
    expect(redis.filter((name) => !decided.has(name))).toEqual([]);
    const decidedOfCluster = new Set([...Object.keys(OWN_OF_CLUSTER), ...ofNodes, ...ofCluster, ...delays]);
    const cluster = optionsIn('cluster/ClusterOptions', 'ClusterOptions');
    expect(cluster.length).toBeGreaterThan(20);
    expect(cluster.filter((name) => !decidedOfCluster.has(name))).toEqual([]);
  });

  it('have no keyPrefix and no other database of a Cluster: that is refused', () => {
    const refusal = (endpoint: Parameters<typeof checkOptions>[0]): string => {
      try {
        checkOptions(endpoint);
      } catch (error) {
        return (error as Error).message;
      }
      return 'taken';
    };
    const single = new Redis({ keyPrefix: 'app:', lazyConnect: true });
    expect(refusal(asAdopted(single))).toContain('received a client with a keyPrefix, expected a client without one');
    for (const endpoint of [{ options: { keyPrefix: 'app:' } }, { url: 'redis://127.0.0.1?keyPrefix=app:' }]) {
      expect(refusal(endpoint)).toContain(
        '"redis.options.keyPrefix" is not valid: received a keyPrefix, expected none',
      );
    }
    const cluster = [{ host: '127.0.0.1', port: 1 }];
    expect(refusal({ cluster, db: 2 })).toContain('"redis.db" is not valid: received 2, expected none or 0');
    expect(refusal({ cluster, db: 0, options: { keyPrefix: '' } })).toBe('taken');
    expect(refusal({ url: 'redis://127.0.0.1/2', db: 2 })).toBe('taken');
    expect(refusal({ url: 'redis-cluster://127.0.0.1:1,127.0.0.1:2', cluster })).toBe('taken');
  });
});
