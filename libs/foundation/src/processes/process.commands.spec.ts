// What a node hears that asks another one to drain, while that one is about to end.
import { describe, expect, it } from '@jest/globals';
import { notRunning } from '../calls/call.outcome.js';
import { subjectOf } from '../calls/call.target.js';
import { CallInterruptedError } from '../errors/call.errors.js';
import { controlOf } from './node.control.js';
import { ProcessCommands, type ProcessCommandsParts } from './process.commands.js';

const other = { name: 'b', bootId: 'b1' };
const about = subjectOf(controlOf(other), 'drain');
const nobodyListens = notRunning(about);

/** Of a cluster in which the other node answers so, and is a member after that or not. */
function drain(error: Error, staysMember: boolean): Promise<void> {
  const members = [other];
  const callAt = (): Promise<never> => {
    if (!staysMember) members.pop();
    return Promise.reject(error);
  };
  const parts = {
    config: { calls: { timeout: 10 }, shutdownTimeout: 10 },
    membership: { self: { name: 'a' }, members: () => members },
    calls: { callAt },
    commands: { issued: () => undefined },
  };
  return new ProcessCommands(parts as unknown as ProcessCommandsParts).drain({ node: 'b' });
}

describe('ProcessCommands.drain of another node', () => {
  it.each([nobodyListens, new CallInterruptedError(about, 'its link broke')])(
    'is done when that has left: %p',
    async (error) => {
      await expect(drain(error, false)).resolves.toBeUndefined();
      await expect(drain(error, true)).rejects.toBe(error);
    },
  );
});
