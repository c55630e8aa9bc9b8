/**
 * What a test does to the Redis of a cluster, and what the checker of histories must know of it.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { historyNow } from 'nestjs-foundation/testing';
import { passed } from './history.time.js';
import type { RedisServer } from './redis-server.js';

interface During {
  from: number;
  until?: number;
}

/** See the file header. */
export class RedisFaults {
  readonly facts = { redisFrozen: [] as During[], rewound: [] as During[] };

  constructor(private readonly redis: RedisServer) {}

  /** Freezes it for a while: by SIGSTOP, or by what `pause` does, which is over `ms` later. */
  async freeze(ms: number, pause?: () => Promise<unknown>): Promise<void> {
    const fact = begin(this.facts.redisFrozen);
    if (pause === undefined) this.redis.pause();
    else await pause();
    await passed(fact.from, ms);
    if (pause === undefined) this.redis.resume();
    fact.until = historyNow();
  }

  /** It goes back to what it was so long ago, as when a replica is promoted that has not heard of what followed. */
  async rewind(ms: number): Promise<void> {
    const fact = begin(this.facts.rewound);
    await this.redis.cli('SAVE');
    await passed(fact.from, ms);
    await this.redis.kill();
    await this.redis.restart();
    fact.until = historyNow();
    rmSync(join(this.redis.folder, 'dump.rdb'), { force: true });
  }
}

function begin(facts: During[]): During {
  const fact: During = { from: historyNow() };
  facts.push(fact);
  return fact;
}
