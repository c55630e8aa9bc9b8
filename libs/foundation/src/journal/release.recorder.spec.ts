import { beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../testing/eventually.js';
import type { JournalFacts } from './journal.entry.js';
import { MAX_GONE, ReleaseRecorder } from './release.recorder.js';

interface Life {
  name: string;
  bootId: string;
  joinedAt: number;
  release?: string;
}
const life = (name: string, joinedAt: number, release?: string): Life => ({
  ...{ name, bootId: `boot-${name}`, joinedAt },
  ...(release === undefined ? {} : { release }),
});

describe('the recorder of deployments', () => {
  let added: Omit<JournalFacts, 'at'>[];
  let members: Life[];
  /** The newest first. */
  let rows: { kind: string; release?: string }[];
  let reads: number;
  beforeEach(() => {
    [added, members, rows, reads] = [[], [], [], 0];
  });

  const recorderOf = (own: Life): ReleaseRecorder => {
    const view = { self: own, own: { ...own, version: '0.1.0' }, members: () => members };
    const read = ({ before }: { before?: string | undefined }) => {
      expect(before).toBe(`${own.joinedAt}-0`);
      reads += 1;
      return Promise.resolve(
        rows.map((row, index) => ({ id: `${90 - index}-0`, text: JSON.stringify({ at: 1, node: 'x', ...row }) })),
      );
    };
    return new ReleaseRecorder({ view: view as never, store: { read }, add: (facts) => void added.push(facts) });
  };
  const joins = (own: Life): void => recorderOf(own).joined({ node: own.name, bootId: own.bootId });
  const idle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('writes that the first node of a version has come, and what runs beside it', async () => {
    members = [life('a', 10, '1.1.0'), life('b', 20, '1.0.0'), life('c', 100, '1.2.0')];
    joins(members[2]!);
    await eventually(() => added.length > 0);
    expect(added).toEqual([
      {
        ...{ kind: 'release.deployed', node: 'c', via: 'code', release: '1.2.0', version: '0.1.0' },
        others: '1.0.0, 1.1.0',
      },
    ]);
  });

  it('writes it once when two come at once: by the one that joined first', async () => {
    members = [life('a', 10, '1.1.0'), life('c', 100, '1.2.0'), life('b', 100, '1.2.0')];
    for (const own of members.slice(1)) joins(own);
    await eventually(() => added.length > 0);
    await idle();
    expect(added.map(({ node }) => node)).toEqual(['b']);
  });

  it('asks nothing and writes nothing when the version runs already, or is not known', async () => {
    members = [life('a', 10, '1.1.0'), life('b', 100, '1.1.0'), life('c', 200)];
    for (const own of members.slice(1)) joins(own);
    await idle();
    expect([added, reads]).toEqual([[], 0]);
  });

  it('goes by the journal where nobody else runs: a restart of the last version is none', async () => {
    members = [life('a', 100, '1.1.0')];
    rows = [
      { kind: 'release.retired', release: '0.9.0' },
      { kind: 'cluster.node_joined', release: '1.1.0' },
    ];
    joins(members[0]!);
    await idle();
    expect([added, reads]).toEqual([[], 1]);
    rows = [{ kind: 'process.started' }, { kind: 'cluster.node_joined', release: '1.0.0' }];
    joins(members[0]!);
    await eventually(() => added.length > 0);
    expect(added).toMatchObject([{ kind: 'release.deployed', release: '1.1.0', others: '1.0.0' }]);
  });

  it('writes the very first version without another, also where the journal cannot be read', async () => {
    members = [life('a', 100, '1.1.0')];
    const view = { self: members[0], own: { ...members[0]!, version: '0.1.0' }, members: () => members };
    const store = { read: () => Promise.reject(new Error('down')) };
    const add = (facts: Omit<JournalFacts, 'at'>): void => void added.push(facts);
    const recorder = new ReleaseRecorder({ view: view as never, store, add });
    recorder.joined({ node: 'a', bootId: 'boot-a' });
    await eventually(() => added.length > 0);
    expect(added).toEqual([{ kind: 'release.deployed', node: 'a', via: 'code', release: '1.1.0', version: '0.1.0' }]);
    // It joins again after a loss.
    recorder.joined({ node: 'a', bootId: 'boot-a' });
    await idle();
    expect(added).toHaveLength(1);
  });

  it('writes that the last node of a version has left, by the node that is there longest, once', () => {
    const [old, next, later] = [life('a', 10, '1.1.0'), life('b', 100, '1.2.0'), life('c', 200, '1.2.0')];
    const recorders = [next, later].map((own) => recorderOf(own));
    const left = (who: Life): void => {
      const { name: node, bootId, joinedAt, release } = who;
      const ran = release === undefined ? {} : { release };
      for (const recorder of recorders) recorder.left({ node, bootId, joinedAt, ...ran, reason: 'shutdown' });
    };
    members = [old, next, later];
    left(life('z', 5, '1.1.0'));
    expect(added).toEqual([]);
    members = [next, later];
    left(old);
    left(life('y', 6, '1.1.0'));
    left(life('x', 7));
    expect(added).toEqual([{ kind: 'release.retired', node: 'b', via: 'code', release: '1.1.0', others: '1.2.0' }]);
    // Of so many as it remembers, and no more.
    for (let index = 0; index <= MAX_GONE; index++) left(life('w', 8, `0.${index}.0`));
    left(life('w', 8, `0.${MAX_GONE}.0`));
    left(life('w', 8, '0.0.0'));
    expect(added.slice(MAX_GONE).map((entry) => entry.release)).toEqual([
      ...[`0.${MAX_GONE - 1}.0`, `0.${MAX_GONE}.0`, '0.0.0'],
    ]);
    added = added.slice(0, 1);
    // Back, and gone again.
    members = [old, next, later];
    for (const recorder of recorders) recorder.joined({ node: 'a', bootId: old.bootId });
    members = [next, later];
    left(old);
    expect(added.map(({ node, release }) => [node, release])).toEqual([
      ['b', '1.1.0'],
      ['b', '1.1.0'],
    ]);
  });
});
