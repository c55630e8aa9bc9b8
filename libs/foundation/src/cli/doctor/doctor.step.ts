/**
 * What an examination is made of: steps that try one thing each and say what they found.
 * A step gets what earlier steps opened; one that needs what they could not open is skipped.
 */
import type { Backend } from '../../backend/backend.js';
import type { DirectorySnapshot, NodeRecord } from '../../backend/directory/directory.js';
import type { RedisProbe } from '../../backend/redis/redis.probe.js';
import type { TopologyRunner } from '../../cluster/topologies/topology.runner.js';
import type { FoundationConfig } from '../../config/config.js';

/** `failed` is wrong and makes the exit code 1; `warning` should be checked. */
export type Verdict = 'ok' | 'warning' | 'failed' | 'skipped';

/** What a step has to say about one thing. */
export interface Finding {
  verdict: Verdict;
  text: string;
  /**
   * What to do about it; a command where there is one. What follows its first line, such as a manifest, is printed as
   * it is.
   */
  advice?: string;
}

/** What the steps have opened so far. */
export interface Case {
  /** Replaced once Redis is found, where nothing names it. */
  config: FoundationConfig;
  readonly topologies: TopologyRunner;
  /** One for each Redis server that answers; the first one has the tables. */
  probes?: readonly RedisProbe[];
  /** The cluster as an observer has it. */
  cluster?: { backend: Backend; members: readonly NodeRecord[]; seen: DirectorySnapshot };
}

/** One step. */
export interface Step {
  readonly name: string;
  /** What earlier steps must have opened. */
  readonly needs: readonly ('probes' | 'cluster')[];
  /** A rejection counts as `failed` with the text of the error. */
  run(patient: Case): Promise<Finding[]>;
}

export const ok = (text: string): Finding => ({ verdict: 'ok', text });
export const warning = (text: string, advice?: string): Finding => finding('warning', text, advice);
export const failed = (text: string, advice?: string): Finding => finding('failed', text, advice);
export const skipped = (text: string): Finding => ({ verdict: 'skipped', text });

function finding(verdict: Verdict, text: string, advice: string | undefined): Finding {
  return advice === undefined ? { verdict, text } : { verdict, text, advice };
}
