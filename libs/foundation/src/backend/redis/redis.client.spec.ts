import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Cluster, ClusterOptions, Redis } from 'ioredis';
import { createClient, endWhenSilent, listenFirst, readBeforeTimeout, saidBy } from './redis.client.js';

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
