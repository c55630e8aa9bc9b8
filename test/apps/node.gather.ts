// What answers in the test of gathers: a handler on every node, a replica on every node, and partitions.
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Callable, Channel, Membership, Partitioned, type ProcessContext, Replicated } from 'nestjs-foundation';

/** The question that all of these take. */
export interface Asked {
  takesMs?: number;
  /** Name of the node that fails. */
  fails?: string;
}

@Injectable()
export class Answerer {
  constructor(private readonly membership: Membership) {}

  @Channel('control', { type: 'question', concurrency: 100 })
  async answer({ takesMs = 0, fails }: Asked): Promise<{ pid: number; node: string }> {
    const { name: node } = this.membership.self;
    if (takesMs > 0) await delay(takesMs);
    if (fails === node) throw new Error(`${node} fails`);
    return { pid: process.pid, node };
  }
}

class Answering {
  #ctx!: ProcessContext;

  onProcessStart(ctx: ProcessContext): void {
    this.#ctx = ctx;
  }

  @Callable()
  async answer({ takesMs = 0, fails }: Asked): Promise<string> {
    if (takesMs > 0) await delay(takesMs);
    if (fails === this.#ctx.node) throw new Error(`${fails} fails`);
    return `${this.#ctx.name} on ${this.#ctx.node}`;
  }
}

@Replicated({ name: 'everywhere' })
export class Everywhere extends Answering {}

@Partitioned({ name: 'parts', partitions: 4 })
export class Parts extends Answering {}
