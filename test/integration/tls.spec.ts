// TLS: on links between nodes, whose certificates are replaced while they run, and to Redis (`rediss:`).
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import {
  Callable,
  type FoundationOptions,
  Membership,
  ProcessManager,
  Singleton,
  type TlsFiles,
} from 'nestjs-foundation';
import { eventually, freePort } from 'nestjs-foundation/testing';
import { Authority } from '../support/certificates.js';
import { type RedisServer, startServer } from '../support/redis-server.js';
import { shareSlots } from '../support/redis-topology.js';
import { secret } from '../support/secrets.js';
import { boot, type Booted, type CapturedLog, closeLater, formed, onOwnRedis, settle } from './fixture.js';

@Singleton({ name: 'counter' })
class Counter {
  #count = 0;
  @Callable()
  add(): number {
    return ++this.#count;
  }
}

const COOKIE = secret('the cookie of the TLS spec');

let server: RedisServer;
let appName: string;
let log: CapturedLog;
onOwnRedis((ground) => ({ server, appName, log } = ground));

/** The files of one node. */
class Files {
  readonly folder = mkdtempSync(join(tmpdir(), 'foundation-tls-'));
  readonly tls: TlsFiles = {
    certificateFile: join(this.folder, 'cert.pem'),
    keyFile: join(this.folder, 'key.pem'),
    caFile: join(this.folder, 'ca.pem'),
  };

  constructor(issuer: Authority, trusted: readonly Authority[] = [issuer]) {
    closeLater(async () => rmSync(this.folder, { recursive: true, force: true }));
    this.replace(issuer, trusted);
  }

  replace(issuer: Authority, trusted: readonly Authority[]): void {
    const { cert, key } = issuer.issue();
    writeFileSync(this.tls.caFile, trusted.map((authority) => authority.cert).join(''));
    writeFileSync(this.tls.certificateFile, cert);
    writeFileSync(this.tls.keyFile, secret(key));
  }
}

const node = ({ tls }: Files): Promise<Booted> =>
  boot(server.url, appName, [Counter], {
    transport: { kind: 'direct', host: '127.0.0.1' },
    security: { cookie: COOKIE, tls },
  });

const up = ({ of }: Booted): number => of('transport.link_up').length;
const down = ({ of }: Booted): number => of('transport.link_down').length;
const renewals = (): number => log.lines.filter((line) => line.includes('New certificates are used')).length;

describe('links with certificates', () => {
  it('are kept when the files change, and new ones use the new certificates', async () => {
    const [old, next] = [new Authority('old'), new Authority('next')];
    const files = [new Files(old), new Files(old)];
    const [one, other] = [await node(files[0]!), await node(files[1]!)];
    await formed(one, other);
    await eventually(() => up(one) === 1 && up(other) === 1, { what: 'A link' });

    // Half of a file changes nothing, and is said.
    const { cert } = next.issue();
    writeFileSync(files[0]!.tls.certificateFile, cert.slice(0, 200));
    await eventually(
      () =>
        log.lines.some((line) => /^warn Ignored changed certificate files .*security.tls.certificateFile/.test(line)),
      {
        lastSeen: () => log.lines.slice(-5),
      },
    );

    for (const each of files) each.replace(next, [next, old]);
    await eventually(() => renewals() === 2, { lastSeen: () => log.lines.slice(-5) });
    const newcomer = await node(new Files(next));
    await formed(one, other, newcomer);
    await eventually(() => up(newcomer) === 2 && up(one) === 2 && up(other) === 2, {
      what: 'Links to a node that knows the new authority only',
      lastSeen: () => [one, other, newcomer].map(({ of }) => of('transport.link_failed').slice(-2)),
    });
    expect([one, other, newcomer].map(down)).toEqual([0, 0, 0]);
    const ref = await newcomer.app.get(ProcessManager).startSingleton(Counter, []);
    expect(await ref.call('add')).toBe(1);
  });

  it('do not come about with a node of another authority, which is named with its address', async () => {
    const [ours, theirs] = [new Authority('ours'), new Authority('theirs')];
    const nodes = [await node(new Files(ours)), await node(new Files(theirs))];
    await formed(...nodes);
    await eventually(() => nodes.some(({ of }) => of('transport.refused').length > 0));
    await eventually(
      () => log.lines.some((line) => /Rejected.*TLS.*"address":"127\.0\.0\.1:\d+","reason":"tls","error":"/.test(line)),
      {
        lastSeen: () => log.lines.slice(-5),
      },
    );
    expect(nodes.map(up)).toEqual([0, 0]);
  });
});

describe('rediss:', () => {
  const tlsArgs = (port: number, { certificateFile, keyFile, caFile }: TlsFiles): string[] => [
    ...['--tls-port', String(port), '--tls-cert-file', certificateFile],
    ...['--tls-key-file', keyFile, '--tls-ca-cert-file', caFile],
  ];

  /** Asks for a certificate, as `tls-auth-clients` does by default. */
  async function secured(authority: Authority): Promise<{ redis: RedisServer; url: string }> {
    const { tls } = new Files(authority);
    const port = await freePort();
    const redis = await startServer({ args: tlsArgs(port, tls) });
    closeLater(() => redis.stop());
    await settle(redis, appName);
    return { redis, url: `rediss://127.0.0.1:${port}` };
  }

  /** Three primaries that ask for certificates and are announced as `localhost`. */
  async function securedCluster(tls: TlsFiles): Promise<{ urls: string[] }> {
    const named = ['--cluster-announce-hostname', 'localhost', '--cluster-preferred-endpoint-type', 'hostname'];
    const servers = await Promise.all(
      [0, 1, 2].map(async () => {
        const [port, bus] = [await freePort(), await freePort()];
        const clustered = ['--cluster-enabled', 'yes', '--tls-cluster', 'yes', '--cluster-port', String(bus)];
        const server = await startServer({ args: [...tlsArgs(port, tls), ...clustered, ...named] });
        closeLater(() => server.stop());
        return { server, port, bus };
      }),
    );
    await shareSlots(servers.map(({ server }) => server));
    for (const { port, bus } of servers.slice(1)) {
      await servers[0]!.server.cli('CLUSTER', 'MEET', '127.0.0.1', String(port), String(bus));
    }
    const states = (): Promise<string[]> => Promise.all(servers.map(({ server }) => server.cli('CLUSTER', 'INFO')));
    let last: unknown;
    await eventually(
      async () => {
        const all = (last = await states());
        return all.every((info) => info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3'));
      },
      { timeout: 30_000, what: 'A Redis Cluster', lastSeen: () => last },
    );
    return { urls: servers.map(({ port }) => `localhost:${port}`) };
  }

  const withTls = (authority: Authority, url: string): FoundationOptions['redis'] => {
    const { cert, key } = authority.issue();
    return { url, options: { tls: { ca: authority.cert, cert, key: secret(key) } } };
  };

  it('carries a whole node, BullMQ included', async () => {
    const authority = new Authority('of Redis');
    const { redis, url } = await secured(authority);
    const nodes = [
      await boot(withTls(authority, url), appName, [Counter]),
      await boot(withTls(authority, url), appName, [Counter]),
    ];
    await formed(...nodes);
    for (const { app } of nodes) await (await app.get(ProcessManager).startSingleton(Counter, [])).call('add');
    expect(await (await nodes[0]!.app.get(ProcessManager).lookupSingleton(Counter))?.call('add')).toBe(3);
    const plain = (await redis.cli('CLIENT', 'LIST'))
      .split('\n')
      .filter((line) => line.includes(`laddr=127.0.0.1:${redis.port} `));
    expect(plain.filter((line) => line.includes('foundation:'))).toEqual([]);
  });

  it('reaches the nodes of a Redis Cluster by their names, which alone their certificates have', async () => {
    const authority = new Authority('of Redis');
    const { cert, key } = authority.issue('redis', 'localhost');
    const files = new Files(authority);
    writeFileSync(files.tls.certificateFile, cert);
    writeFileSync(files.tls.keyFile, secret(key));
    const { urls } = await securedCluster(files.tls);
    const redis = withTls(authority, `rediss-cluster://${urls.join(',')}`);
    const nodes = [await boot(redis, appName, [Counter]), await boot(redis, appName, [Counter])];
    await formed(...nodes);
    for (const { app } of nodes) await (await app.get(ProcessManager).startSingleton(Counter, [])).call('add');
    expect(await (await nodes[0]!.app.get(ProcessManager).lookupSingleton(Counter))?.call('add')).toBe(3);
  });

  it('does not trust a server of another authority, and says why', async () => {
    const { url } = await secured(new Authority('of Redis'));
    const { app } = await boot(withTls(new Authority('of others'), url), appName, []);
    expect(app.get(Membership).state).toBe('joining');
    expect(log.lines.join('\n')).toMatch(/certificate|self.signed|issuer/i);
  });
});
