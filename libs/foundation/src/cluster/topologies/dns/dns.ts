/**
 * The strategy `dns`: a name with an address per node, such as a headless service of Kubernetes, a service of Docker
 * Swarm (`tasks.<name>`) or of a cloud. Needs no package. Configuration:
 * `cluster: { strategy: 'dns', query: 'shop.internal' }` and, where they are wanted,
 * `redisQuery: '_redis._tcp.shop.internal'`, `every: 5000`, `servers: ['10.0.0.2']`. In the environment
 * `FOUNDATION_DNS_QUERY=shop.internal` is enough.
 *
 * - A name that begins with `_` is asked for SRV records, each of which is a node; any other one for A records and,
 *   where there are none, for AAAA records. Look with `dig +short shop.internal`. A name of /etc/hosts is not found:
 *   see the strategy `static`.
 * - It is queried again when the answer has lived its time, though not before `every` and after a minute at the latest;
 *   SRV records, whose time Node does not tell, after `every`.
 * - A name that is gone, and a server that does not answer, are failures: the nodes that were known stay, it is asked
 *   again and again, and health says so. In Kubernetes set `publishNotReadyAddresses: true`, or there is no name before
 *   the first pod is ready.
 * - Redis is what `redisQuery` leads to: the SRV record of the lowest priority, or the host, at port 6379. Where there
 *   are several, nodes could choose different ones, so it is not found: name it in FOUNDATION_REDIS_URL.
 *
 * Answers are not authenticated; an attacker who can forge them can lead nodes to another Redis. Never says that a node
 * has ended. Underneath: `dns.Resolver.resolve4(name, { ttl: true })`, `resolve6`, `resolveSrv`.
 */
import { Resolver } from 'node:dns/promises';
import type { StrategyConfigs } from '../../../config/strategy.settings.js';
import type { TopologyReport, TopologyStrategy } from '../../../config/topology.strategy.js';
import { TopologyError } from '../../../errors/cluster.errors.js';
import { describe } from '../../../errors/describe.js';
import { unattended } from '../../../foreign/gate.js';
import { addressOf, type Answer, codeOf, isAbsent, peersAt, serverOf, srvIn } from './dns.answers.js';

/** An answer that lives longer is queried again all the same, because a node that is new should be seen. */
const LONGEST_MS = 60_000;
const REDIS_PORT = 6379;

/** See the file header. */
export class DnsStrategy implements TopologyStrategy {
  readonly name = 'dns';
  #resolver: Resolver | undefined;
  #timer: NodeJS.Timeout | undefined;
  #redisFound = false;

  constructor(private readonly config: StrategyConfigs['dns']) {}

  async start(report: TopologyReport): Promise<void> {
    // A new one each time, so that a change of the system's servers is seen.
    const resolver = (this.#resolver = new Resolver({ timeout: 1000, tries: 2 }));
    if (this.config.servers !== undefined) resolver.setServers(this.config.servers);
    await this.#look(report, resolver);
  }

  stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#resolver?.cancel();
    this.#resolver = undefined;
    return Promise.resolve();
  }

  async #look(report: TopologyReport, resolver: Resolver): Promise<void> {
    const [answer, redis] = await Promise.all([
      // The first node of a cluster may find Redis before there is a name with nodes.
      this.#ask(resolver).catch((error: unknown) => this.#error(error)),
      this.#redis(resolver),
    ]);
    if (resolver !== this.#resolver) return;
    this.#redisFound ||= redis !== undefined;
    if (redis !== undefined) report.found({ redis });
    if (answer instanceof TopologyError) throw answer;
    report.found({ peers: peersAt(answer.records) });
    const [{ ttlMs }, { every }] = [answer, this.config];
    const pause = Math.max(every, Math.min(ttlMs ?? every, LONGEST_MS));
    const again = (): void =>
      unattended(
        'looking at DNS',
        this.#look(report, resolver).catch((error: unknown) => report.failed(error)),
      );
    this.#timer = setTimeout(again, pause).unref();
  }

  #ask(resolver: Resolver): Promise<Answer> {
    const { query } = this.config;
    return query.startsWith('_') ? this.#services(resolver, query) : this.#hosts(resolver, query);
  }

  /** Undefined when there is none, or nothing answers: no node that has a Redis already waits for it. */
  async #redis(resolver: Resolver): Promise<string | undefined> {
    const { redisQuery, servers } = this.config;
    if (redisQuery === undefined || this.#redisFound) return undefined;
    try {
      const server = redisQuery.startsWith('_')
        ? serverOf((await this.#services(resolver, redisQuery)).records)
        : { host: redisQuery, port: REDIS_PORT };
      if (server === undefined) return undefined;
      const [only, ...others] = (await this.#hosts(resolver, server.host)).records;
      if (only === undefined || others.length > 0) return undefined;
      // The name, which may move to another address; but the system does not know it when its servers are not asked.
      return `redis://${addressOf({ host: servers === undefined ? server.host : only.host, port: server.port })}`;
    } catch {
      return undefined;
    }
  }

  async #hosts(resolver: Resolver, name: string): Promise<Answer> {
    const records = await resolver.resolve4(name, { ttl: true }).catch((error: unknown) => {
      if (isAbsent(error)) return resolver.resolve6(name, { ttl: true });
      throw error;
    });
    return {
      records: records.map(({ address }) => ({ host: address })),
      ttlMs: 1000 * Math.min(...records.map(({ ttl }) => ttl)),
    };
  }

  async #services(resolver: Resolver, name: string): Promise<Answer> {
    return { records: srvIn(await resolver.resolveSrv(name)) };
  }

  #error(cause: unknown): TopologyError {
    const { query, servers } = this.config;
    const asked = servers === undefined ? 'the DNS servers of this system' : servers.join(', ');
    return isAbsent(cause)
      ? new TopologyError(
          'dns',
          'dns.Resolver',
          `${asked} know no "${query}": ${codeOf(cause)}`,
          `Compare: dig ${query.startsWith('_') ? 'SRV ' : ''}${query}. The name is "query" or FOUNDATION_DNS_QUERY.`,
          cause,
        )
      : new TopologyError(
          'dns',
          'dns.Resolver',
          `${asked}: ${codeOf(cause) ?? describe(cause)}`,
          'Check that they answer.',
          cause,
        );
  }
}
