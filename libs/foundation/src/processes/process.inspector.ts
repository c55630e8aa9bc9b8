/**
 * Asks the node that owns a process what it says of itself.
 * For the dashboard; underneath a call to the control of that node.
 */
import type { OwnerRecord } from '../backend/leases/leases.js';
import type { CallRouter } from '../calls/call.router.js';
import { type Inspection, readInspection } from './inspection.js';
import { controlOf } from './node.control.js';

/** Longer than an `inspect()` may take there. */
const ANSWER_MS = 3000;

/** See the file header. */
export class ProcessInspector {
  constructor(
    private readonly owner: (name: string) => Promise<OwnerRecord | undefined>,
    private readonly calls: Pick<CallRouter, 'callAt'>,
  ) {}

  /**
   * `undefined` for a process that has no owner.
   *
   * @throws the errors of a call, such as for a node of a version that has no such control.
   */
  async inspect(name: string): Promise<(Inspection & { node: string }) | undefined> {
    const owner = await this.owner(name);
    if (owner === undefined) return undefined;
    return this.inspectAt(owner, name);
  }

  /** The same of what a call reaches by this name on a node: a service is no process, and has no owner. */
  async inspectAt(
    { node, bootId }: Pick<OwnerRecord, 'node' | 'bootId'>,
    callee: string,
  ): Promise<Inspection & { node: string }> {
    const answer = await this.calls.callAt(controlOf({ name: node, bootId }), 'inspect', [callee], {
      timeout: ANSWER_MS,
    });
    return { node, ...(readInspection(answer) ?? { methods: [], problem: 'What its node answered cannot be read.' }) };
  }
}
