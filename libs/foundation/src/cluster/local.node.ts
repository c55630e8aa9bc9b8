/**
 * Who this process is in the cluster.
 * Made once by `foundation.module.ts`; read by everyone above.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { FoundationConfig } from '../config/config.js';
import type { NodeIdentity } from '../wire/node.identity.js';

/** This node: its configured name, and what is random or given by the machine. */
export class LocalNode implements NodeIdentity {
  readonly name: string;
  /** Random for each start, which distinguishes a restarted node from the one before. */
  readonly bootId = randomBytes(8).toString('hex');
  readonly host = hostname();
  readonly pid = process.pid;

  constructor(config: FoundationConfig) {
    this.name = config.nodeName;
  }
}
