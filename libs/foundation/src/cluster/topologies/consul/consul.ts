/**
 * The strategy `consul`: every node registers itself as an instance of a service, with a check that it keeps passing,
 * and follows the others by blocking queries. Needs no package. Configuration: `cluster: 'consul'`, or
 * `{ strategy: 'consul', address: 'http://127.0.0.1:8500', service: 'shop', redisService: 'redis', token, ttl: '10s'
 * }`. In the environment `FOUNDATION_CLUSTER=consul`, and where they differ from these
 * `CONSUL_HTTP_ADDR=127.0.0.1:8500`, `FOUNDATION_CONSUL_SERVICE=<appName>`, `CONSUL_HTTP_TOKEN`.
 *
 * - Redis is the one instance of the service `redis`:
 *   `consul services register -name=redis -address=10.0.0.5 -port=6379`. Where it has several instances, nodes could
 *   choose different ones, so it is not found: name it in FOUNDATION_REDIS_URL.
 * - With ACLs: `consul acl policy create -name shop -rules 'service "shop" { policy = "write" } service_prefix
 *   "" { policy = "read" } node_prefix "" { policy = "read" }'`, and a token with it in `CONSUL_HTTP_TOKEN`.
 * - With TLS: an address with `https://`, and its authority in `NODE_EXTRA_CA_CERTS`.
 *
 * A node that leaves is taken out; one that dies is critical after `ttl` and taken out after a minute. It is
 * never said to have ended, which Consul cannot know. Look with `curl $CONSUL_HTTP_ADDR/v1/health/service/shop`.
 * Underneath: `/v1/agent/service/register`, `/v1/agent/check/pass`, `/v1/health/service`.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { StrategyConfigs } from '../../../config/strategy.settings.js';
import type { TopologyReport, TopologySelf, TopologyStrategy } from '../../../config/topology.strategy.js';
import { META, peersIn, redisIn } from './consul.catalog.js';
import { ConsulClient, type ConsulRegistration } from './consul.client.js';

const WAIT_SECONDS = 60;
/** A query that is answered at once, again and again, must not keep this node and Consul busy. */
const PACE_MS = 100;
const REDIS_TRIES = 10;
const REDIS_PAUSE_MS = 1000;

/** See the file header. */
export class ConsulStrategy implements TopologyStrategy {
  readonly name = 'consul';
  readonly #client: ConsulClient;
  #ending = new AbortController();
  #beat: NodeJS.Timeout | undefined;
  #report: TopologyReport | undefined;
  #self: TopologySelf | undefined;
  #registered = false;

  constructor(private readonly config: StrategyConfigs['consul']) {
    this.#client = new ConsulClient(config);
  }

  async start(report: TopologyReport, self: TopologySelf): Promise<void> {
    const { signal } = (this.#ending = new AbortController());
    this.#report = report;
    this.#self = self;
    if (self.observes !== true) await this.#register(signal);
    const index = await this.#look(0, report, signal);
    if (signal.aborted) return;
    // Three signs of life before the check runs out, so that two may be lost.
    if (this.#registered) this.#beat = setInterval(() => void this.#pass(signal), this.config.ttl / 3).unref();
    this.#fallible(this.#lookForRedis(report, signal), signal);
    this.#fallible(this.#follow(index, report, signal), signal);
  }

  announce(self: TopologySelf): void {
    this.#self = self;
    if (this.#registered) this.#fallible(this.#register(this.#ending.signal), this.#ending.signal);
  }

  /** The registration outlives a failure: the node is still there, and what other nodes see should not flap. */
  async stop(leaving: boolean): Promise<void> {
    this.#ending.abort();
    clearInterval(this.#beat);
    if (!leaving || !this.#registered) return;
    this.#registered = false;
    await this.#client.deregister(this.#registration().ID);
  }

  async #register(signal: AbortSignal): Promise<void> {
    // Before the answer: a request that is cut short may have arrived.
    this.#registered = true;
    await this.#client.register(this.#registration(), signal);
  }

  #registration(): ConsulRegistration {
    const { node, bootId, host, address } = this.#self!;
    const [, at, port] = /^\[?([^\]]+)\]?:(\d+)$/.exec(address ?? '') ?? [];
    const { service, ttl } = this.config;
    const id = `${service}-${node}-${bootId}`;
    return {
      ...{ ID: id, Name: service, Meta: { [META.node]: node, [META.bootId]: bootId, [META.host]: host } },
      ...(at === undefined ? {} : { Address: at, Port: Number(port) }),
      Check: {
        CheckID: `service:${id}`,
        Name: 'Foundation node',
        TTL: `${ttl / 1000}s`,
        Status: 'passing',
        // A minute is the shortest time that Consul takes.
        DeregisterCriticalServiceAfter: '1m',
      },
    };
  }

  /** One more sign of life; an agent that was restarted without its data is sent everything again. */
  #pass(signal: AbortSignal): void {
    const passing = this.#client.pass(this.#registration().Check.CheckID, signal);
    this.#fallible(
      passing.then((known) => (known ? undefined : this.#register(signal))),
      signal,
    );
  }

  async #look(index: number, report: TopologyReport, signal: AbortSignal): Promise<number> {
    const answer = await this.#client.instances(this.config.service, signal, index, WAIT_SECONDS);
    if (!signal.aborted) report.found({ peers: peersIn(answer.body) });
    // An index that goes back belongs to a server that lost its data: begin again; and 0 would not wait.
    return answer.index < index ? 0 : Math.max(1, answer.index || 0);
  }

  async #follow(from: number, report: TopologyReport, signal: AbortSignal): Promise<void> {
    for (let index = from; !signal.aborted; await pause(PACE_MS, undefined, { ref: false })) {
      index = await this.#look(index, report, signal);
    }
  }

  async #lookForRedis(report: TopologyReport, signal: AbortSignal): Promise<void> {
    for (let tries = 0; tries < REDIS_TRIES && !signal.aborted; tries++) {
      if (tries > 0) await pause(REDIS_PAUSE_MS, undefined, { ref: false });
      const answer = await this.#client.instances(this.config.redisService, signal).catch(() => undefined);
      const redis = answer === undefined ? undefined : redisIn(answer.body);
      if (redis !== undefined) return report.found({ redis });
    }
  }

  #fallible(work: Promise<unknown>, signal: AbortSignal): void {
    work.catch((error: unknown) => {
      if (!signal.aborted) this.#report?.failed(error);
    });
  }
}
