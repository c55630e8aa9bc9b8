/**
 * The facade over topology strategies: what they have found. Keeps nothing; it reads the runner.
 * Used by the application.
 */
import { Injectable } from '@nestjs/common';
import type { Peer } from '../../config/topology.strategy.js';
import type { StrategyStatus } from './strategy.runner.js';
import type { TopologyRunner } from './topology.runner.js';

/** Injectable. What the topology strategies know. */
@Injectable()
export class Topologies {
  readonly #runner: TopologyRunner;

  /** @internal */
  constructor(runner: TopologyRunner) {
    this.#runner = runner;
  }

  /** Everything that should exist, merged, as it was last reported; a strategy that fails keeps its part. */
  peers(): readonly Peer[] {
    return this.#runner.peers();
  }

  /** How many nodes there should be; `undefined` when no strategy has said anything about it. */
  expectedNodes(): number | undefined {
    return this.#runner.expectedNodes();
  }

  /** How each strategy is doing. */
  status(): StrategyStatus[] {
    return this.#runner.status();
  }
}
