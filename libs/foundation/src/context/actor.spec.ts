import { describe, expect, it } from '@jest/globals';
import { Telemetry } from '../telemetry/telemetry.js';
import { actingAs, IssuedCommands, MAX_ACTOR, MAX_REASON } from './actor.js';

describe('a command', () => {
  const telemetry = new Telemetry();
  const issued: unknown[] = [];
  telemetry.attach('command.issued', (_, payload) => issued.push(payload));
  const commands = new IssuedCommands(telemetry, 'n1');
  const last = (): unknown => issued.at(-1);

  it('is of the code, unless somebody acts', async () => {
    commands.issued('move', { process: 'feed', target: 'n2' });
    expect(last()).toEqual({ command: 'move', node: 'n1', via: 'code', process: 'feed', target: 'n2' });
    await actingAs({ via: 'dashboard', name: 'ada', reason: 'new disk' }, async () => {
      await Promise.resolve();
      commands.issued('drain', { target: 'n2' });
    });
    expect(last()).toEqual({
      ...{ command: 'drain', node: 'n1', via: 'dashboard', actor: 'ada', why: 'new disk', target: 'n2' },
    });
    commands.issued('stop', { process: 'feed' });
    expect(last()).toEqual({ command: 'stop', node: 'n1', via: 'code', process: 'feed' });
  });

  it('has a name and a reason on one line each, of a length', () => {
    const long = `a\u001b[31m\n${'b'.repeat(500)}`;
    actingAs({ via: 'command-line', name: long, reason: long }, () => commands.issued('stop', {}));
    const { actor, why: reason } = last() as { actor: string; why: string };
    expect([actor.length, reason.length]).toEqual([MAX_ACTOR, MAX_REASON]);
    // eslint-disable-next-line no-control-regex -- none of these
    expect(actor + reason).not.toMatch(/[\u0000-\u001f]/);
    actingAs({ via: 'dashboard', name: '', reason: '' }, () => commands.issued('stop', {}));
    expect(last()).toEqual({ command: 'stop', node: 'n1', via: 'dashboard' });
  });
});
