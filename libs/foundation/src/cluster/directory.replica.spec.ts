import { beforeEach, describe, expect, it } from '@jest/globals';
import type { NodeRecord, NodeView } from '../backend/directory/directory.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { DirectoryReplica } from './directory.replica.js';

const recordOf = (name: string, load = 0): NodeRecord => ({
  ...{ name, bootId: `boot-${name}`, host: 'h', pid: 1, version: '0', state: 'up' as const, classes: [], load, lag: 0 },
  ...{ labels: {}, replicas: {}, listens: {}, leaseServers: 1, joinedAt: 50 },
});

describe('The replica of the members', () => {
  let view: NodeView;
  let asked: (number | undefined)[];
  let replica: DirectoryReplica;

  beforeEach(() => {
    asked = [];
    const owner = { self: { name: 'a', bootId: 'boot-a' }, isMember: () => true, changed: () => undefined };
    const directory = {
      view: (known?: number) => {
        asked.push(known);
        return Promise.resolve({ ...view, members: [...view.members] });
      },
      reasons: () => Promise.resolve([]),
    };
    replica = new DirectoryReplica(owner, directory, new Telemetry(), 3000, () => 0);
    view = { version: 1, members: [recordOf('a'), recordOf('b', 1), recordOf('c', 1)] };
  });
  const loads = () => Object.fromEntries(replica.records().map(({ name, load }) => [name, load]));

  it('says which version it has, and everything when it must be read anew', async () => {
    await replica.fetch();
    view.version = 2;
    await replica.fetch();
    expect(asked).toEqual([0, 1]);
    expect(replica.version).toBe(2);
  });

  it('keeps the loads that hints told, where the records were not read anew', async () => {
    await replica.fetch();
    replica.noteLoad('b', 5);
    replica.noteLoad('c', 6);
    view = { version: 2, members: [recordOf('a'), recordOf('b', 1), recordOf('c', 2)], changed: new Set(['c']) };
    await replica.fetch();
    expect(loads()).toEqual({ a: 0, b: 5, c: 2 });
    view = { version: 3, members: [recordOf('a'), recordOf('b', 1), recordOf('c', 2)] };
    await replica.fetch();
    expect(loads()).toEqual({ a: 0, b: 1, c: 2 });
  });

  it('takes another process of a name for a new one, and forgets who is gone', async () => {
    await replica.fetch();
    replica.noteLoad('b', 5);
    const again = { ...recordOf('b', 0), bootId: 'another' };
    view = { version: 2, members: [recordOf('a'), again], changed: new Set(['b', 'c']) };
    await replica.fetch();
    expect(replica.records().map(({ bootId }) => bootId)).toEqual(['boot-a', 'another']);
    expect(loads()).toEqual({ a: 0, b: 0 });
  });
});
