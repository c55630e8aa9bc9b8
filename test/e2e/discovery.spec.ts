// Applications that find each other and their Redis: on one machine, and on two, which are network namespaces of the
// test.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from 'nestjs-foundation/testing';
import { type Machine, Network } from '../support/network.js';
import { NodeProcess } from '../support/node.process.js';
import { requireNoLeak, secret } from '../support/secrets.js';

const obstacle =
  process.env['FOUNDATION_TEST_REDIS_SERVER'] === 'embedded' ? 'it takes a real redis-server' : Network.obstacle();
if (obstacle !== undefined) console.warn(`SKIPPED, because network namespaces cannot be made here: ${obstacle}`);

const PORT = 6390;
const SECRET = secret('the gossip secret of the e2e tests');
const COOKIE = secret('the cookie of the discovery tests');

(obstacle === undefined ? describe : describe.skip)('applications that find each other', () => {
  let network: Network;
  let folder: string;
  const nodes: NodeProcess[] = [];

  beforeEach(() => {
    network = Network.open();
    folder = mkdtempSync(join(tmpdir(), 'foundation-e2e-'));
  });
  afterEach(async () => {
    const ended = nodes.splice(0);
    await Promise.all(ended.map((node) => node.destroy()));
    await network.close();
    const lines = ended.flatMap(({ log }) => log.split('\n'));
    rmSync(folder, { recursive: true, force: true });
    requireNoLeak(lines, 'a log');
  });

  function start(name: string, { namespace }: Machine, env: Record<string, string> = {}): NodeProcess {
    // Nothing of the environment of the test says where Redis is.
    const nothing = { FOUNDATION_REDIS_URL: '', REDIS_URL: '', NODE_ENV: '' };
    const own = { FOUNDATION_APP_NAME: 'found', FOUNDATION_COOKIE: COOKIE, ...nothing, ...env };
    const node = new NodeProcess(name, folder, own, nodes.length, namespace);
    nodes.push(node);
    return node;
  }

  async function members(...expected: NodeProcess[]): Promise<void> {
    const names = expected.map(({ name }) => name).sort();
    for (const node of expected) {
      await node.ready;
      const seen = async () => (await node.ask('members')).map(({ name }) => name).sort();
      await eventually(async () => String(await seen()) === String(names), {
        ...{ what: `The members ${String(names)} at ${node.name}`, timeout: 30_000 },
        lastSeen: () => node.tail(),
      });
    }
  }

  it('mdns, on one machine, with no configuration: the second one asks the first one', async () => {
    const { here } = network;
    await network.redis(here, PORT);
    const url = `redis://127.0.0.1:${PORT}`;
    const first = start('first', here, { FOUNDATION_CLUSTER: 'mdns', FOUNDATION_REDIS_URL: url });
    await first.ready;
    await members(first, start('second', here), start('third', here));
  }, 120_000);

  it('mdns, on two machines, with no configuration of the other one', async () => {
    const { here, there } = network;
    await network.redis(here, PORT);
    const url = `redis://${here.address}:${PORT}`;
    const first = start('first', here, { FOUNDATION_CLUSTER: 'mdns', FOUNDATION_REDIS_URL: url });
    await first.ready;
    await members(first, start('second', there), start('third', here));
  }, 120_000);

  it('mdns: a Redis on the loopback address of another machine is none', async () => {
    const { here, there } = network;
    await network.redis(here, PORT);
    const url = `redis://127.0.0.1:${PORT}`;
    await start('first', here, { FOUNDATION_CLUSTER: 'mdns', FOUNDATION_REDIS_URL: url }).ready;
    // Outside production it would have one of its own.
    const second = start('second', there, { FOUNDATION_CLUSTER: 'mdns', NODE_ENV: 'production' });
    await expect(second.ready).rejects.toMatchObject({
      code: 'FOUNDATION_REDIS_NOT_FOUND',
      message: expect.stringContaining('strategy "mdns": no Redis among 2 peers'),
    });
  }, 120_000);

  it('nothing at all, on one machine: those that start at once share an embedded Redis on its port 6379', async () => {
    const { here } = network;
    await members(start('first', here), start('second', here), start('third', here));
    const started = nodes.filter((node) => node.tail(100_000).includes('Started an embedded Redis'));
    expect(started).toHaveLength(1);
  }, 120_000);

  it('gossip, on two machines, with the secret alone', async () => {
    const { here, there } = network;
    await network.redis(here, PORT);
    const gossip = { FOUNDATION_CLUSTER: 'gossip', FOUNDATION_GOSSIP_SECRET: SECRET };
    const url = `redis://${here.address}:${PORT}`;
    const first = start('first', here, { ...gossip, FOUNDATION_REDIS_URL: url });
    await first.ready;
    await members(first, start('second', there, gossip), start('third', here, gossip));
  }, 120_000);
});
