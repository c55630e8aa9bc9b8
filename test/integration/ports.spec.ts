// The contracts of all ports but the transport, over a real Redis; transports.spec.ts has that one.
import { afterAll, beforeAll, describe, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import {
  directoryContract,
  leasesContract,
  restartsContract,
  streamsContract,
  tableContract,
} from 'nestjs-foundation/testing';
import { RedisTable } from '../../libs/foundation/src/backend/tables/redis.table.js';
import { createSigner } from '../../libs/foundation/src/security/signer.js';
import { keysOf } from '../../libs/foundation/src/wire/keys.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { backendOn, type Bench, CapturedLog, closeAll, freshName, settle } from './fixture.js';

let server: RedisServer;

beforeAll(async () => {
  CapturedLog.install();
  server = await startRedis();
});
afterAll(() => server.stop());

/** Nodes of an application that no other test has, on a Redis that has lost nothing. */
async function nodesOf(size: number): Promise<{ appName: string; nodes: Bench[] }> {
  const appName = freshName();
  await settle(server, appName);
  return { appName, nodes: await Promise.all(Array.from({ length: size }, () => backendOn(server, appName))) };
}

const close = closeAll;

leasesContract(
  'redlock',
  async (size) => {
    const { appName, nodes } = await nodesOf(size);
    const keys = keysOf(appName);
    return {
      nodes: nodes.map(({ backend: { leases, onHint }, node: { name, bootId } }) => ({ name, bootId, leases, onHint })),
      takeAway: async (name) => void (await server.cli('SET', keys.lease(name), 'a stranger', 'PX', '60000')),
      close,
    };
  },
  { describe, it },
);

directoryContract(
  'redis',
  async (size) => {
    const { nodes } = await nodesOf(size);
    return {
      nodes: nodes.map(({ backend, node: { name, bootId } }) => ({ name, bootId, directory: backend.directory })),
      close,
    };
  },
  { describe, it },
);

tableContract(
  'redis',
  async (size, limits) => {
    const { appName, nodes } = await nodesOf(size);
    const {
      processes: rows,
      processVersions: versions,
      processMarks: marks,
      processHead: head,
      hints,
    } = keysOf(appName);
    const places = { rows, versions, marks, head, hints, hint: { t: 'table' } } as const;
    const signer = createSigner(appName, undefined);
    return {
      nodes: nodes.map(({ backend }) => new RedisTable(backend.raw.control as Redis, places, signer, limits)),
      onHint: (listener) => nodes[0]!.backend.onHint((hint) => void (hint.t === 'table' && listener(hint.version))),
      lose: async () => void (await server.cli('DEL', rows, versions, marks, head)),
      close,
    };
  },
  { describe, it },
);

streamsContract(
  'redis',
  async (size) => {
    const { nodes } = await nodesOf(size);
    const [, major] = /redis_version:(\d+)/.exec(await server.cli('INFO', 'server')) ?? [];
    return { nodes: nodes.map(({ backend }) => backend.streams), countsLost: Number(major) >= 7, close };
  },
  { describe, it },
);

restartsContract(
  'bullmq',
  async (size) => {
    const { nodes } = await nodesOf(size);
    return { nodes: nodes.map(({ backend }) => backend.restarts), close };
  },
  { describe, it },
);
