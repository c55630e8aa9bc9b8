/**
 * The strategy `static`: hosts that are known beforehand, such as the machines of a rack or the services of a compose
 * file. Configuration: `cluster: { strategy: 'static', hosts: ['app-1:7000', 'app-2:7000'], redis: 'redis://redis:6379'
 * }`, or
 * `FOUNDATION_CLUSTER=static FOUNDATION_STATIC_HOSTS=app-1:7000,app-2:7000 FOUNDATION_REDIS_URL=redis://redis:6379`.
 * Underneath: `dns.lookup` every five seconds. A host is ready once its name is known; whether it answers is not tried.
 */
import { lookup } from 'node:dns/promises';
import type { StrategyConfigs } from '../../config/strategy.settings.js';
import type { Peer, TopologyReport, TopologyStrategy } from '../../config/topology.strategy.js';
import { unattended } from '../../foreign/gate.js';

/** See the file header. Says how many nodes to expect; never says that one is terminated. */
export class StaticStrategy implements TopologyStrategy {
  readonly name = 'static';
  #timer: NodeJS.Timeout | undefined;
  /** Rises with each start and stop; a look of a former one reports nothing. */
  #turn = 0;

  constructor(
    private readonly config: StrategyConfigs['static'],
    private readonly resolveName: (host: string) => Promise<unknown> = lookup,
  ) {}

  async start(report: TopologyReport): Promise<void> {
    await this.#look(report, ++this.#turn);
  }

  stop(): Promise<void> {
    this.#turn++;
    clearTimeout(this.#timer);
    return Promise.resolve();
  }

  async #look(report: TopologyReport, turn: number): Promise<void> {
    const { hosts, redis, every } = this.config;
    const peers = await Promise.all(hosts.map((host) => this.#peer(host)));
    if (turn !== this.#turn) return;
    report.found({ peers, ...(redis === undefined ? {} : { redis }) });
    this.#timer = setTimeout(() => unattended('looking at the hosts', this.#look(report, turn)), every).unref();
  }

  /** A name that is not known yet belongs to a machine that is still to come. */
  async #peer(address: string): Promise<Peer> {
    const host = address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
    const known = await this.resolveName(host).then(
      () => true,
      () => false,
    );
    return { id: address, address, state: known ? 'ready' : 'not-ready' };
  }
}
