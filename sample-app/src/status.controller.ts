/**
 * `GET /status`: the cluster as this one node sees it.
 */
import { Controller, Get } from '@nestjs/common';
import {
  type Member,
  Membership,
  type NodeState,
  type ProcessInfo,
  ProcessManager,
  RedisUnavailableError,
} from 'nestjs-foundation';
import { type EpochCount, PriceBoard, type SeenTick } from './price-board.js';

/** The answer of `GET /status`. */
export interface Status {
  node: { name: string; bootId: string; state: NodeState };
  members: readonly Member[];
  /** Not there while Redis cannot say who owns what. */
  processes?: ProcessInfo[];
  ticks: { last: readonly SeenTick[]; epochs: readonly EpochCount[]; stale: number };
}

@Controller('status')
export class StatusController {
  constructor(
    private readonly membership: Membership,
    private readonly processes: ProcessManager,
    private readonly board: PriceBoard,
  ) {}

  @Get()
  async status(): Promise<Status> {
    const { ticks: last, epochs, stale } = this.board;
    return {
      node: { ...this.membership.self, state: this.membership.state },
      members: this.membership.members(),
      processes: await this.#list(),
      ticks: { last, epochs, stale },
    };
  }

  /** A node that is cut off from Redis still has a status: that is when somebody looks. */
  async #list(): Promise<ProcessInfo[] | undefined> {
    try {
      return await this.processes.list();
    } catch (error) {
      if (error instanceof RedisUnavailableError) return undefined;
      throw error;
    }
  }
}
