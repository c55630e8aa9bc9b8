import { describe, expect, it } from '@jest/globals';
import { type JournalFacts, MAX_ENTRY, readEntry, writeEntry } from './journal.entry.js';
import { wordsOf } from './journal.words.js';

const AT = 1_795_961_830_000;
const row = (facts: unknown, id = `${AT + 5}-0`) => ({
  id,
  text: typeof facts === 'string' ? facts : JSON.stringify(facts),
});
const FULL: JournalFacts = {
  ...{ at: AT, kind: 'command.move', node: 'n1', by: 'n2', process: 'feed', epoch: 7, reason: 'new disk' },
  ...{ error: 'it broke', from: 'n3', target: 'n4', via: 'dashboard', actor: 'ada', bootId: 'b1', release: '1.2.3' },
  ...{ version: '0.1.0', others: '1.2.2', count: 3, ms: 12 },
};

describe('an entry', () => {
  it('is read as it was written', () => {
    expect(readEntry(row(writeEntry(FULL)))).toEqual({ id: `${AT + 5}-0`, ...FULL });
    const bare = { at: AT, kind: 'process.started', node: 'n1' };
    expect(readEntry(row(writeEntry({ ...bare, process: undefined })))).toEqual({
      ...{ id: `${AT + 5}-0`, ...bare },
    });
  });

  it.each<[string, unknown, string?]>([
    ['no JSON', 'what'],
    ['nothing', ''],
    ['another value', '[]'],
    ['without a time', { kind: 'process.started', node: 'n1' }],
    ['without a node', { at: AT, kind: 'process.started' }],
    ['of a kind that is none', { at: AT, kind: '<script>', node: 'n1' }],
    ['of a long kind', { at: AT, kind: `a.${'b'.repeat(100)}`, node: 'n1' }],
    ['too long', { at: AT, kind: 'process.started', node: 'n1', error: 'x'.repeat(MAX_ENTRY) }],
    ['at a time that is none', { at: 1.5, kind: 'process.started', node: 'n1' }],
    ['at a time that no Date has', { at: 8.64e15 + 1, kind: 'process.started', node: 'n1' }, '9007199254740991-0'],
    ['under an id that is none', { at: AT, kind: 'process.started', node: 'n1' }, 'x-1'],
  ])('that is %s is none', (_what, facts, id = `${AT + 5}-0`) => {
    expect(readEntry(row(facts, id))).toBeUndefined();
  });

  it('has nothing that no node says: wrong fields are left out, long ones cut, lines are one', () => {
    const entry = readEntry(
      row({
        ...FULL,
        epoch: 'x',
        via: 'a letter',
        reason: { a: 1 },
        error: `a\n\u001b[31m${'b'.repeat(1000)}`,
        more: 1,
      }),
    );
    const { epoch: _epoch, via: _via, reason: _reason, error: _error, ...others } = FULL;
    expect(entry).toEqual({ id: `${AT + 5}-0`, ...others, error: expect.stringMatching(/^a {2}\[31mb+…$/) });
    expect(entry!.error).toHaveLength(400);
  });

  it('happened before it was written', () => {
    expect(readEntry(row({ ...FULL, at: AT + 86_400_000 }))!.at).toBe(AT + 5);
  });

  it('stays short, whatever it is about', () => {
    const long = 'x"'.repeat(5000);
    const facts = Object.fromEntries(
      Object.entries(FULL).map(([key, value]) => [key, typeof value === 'string' ? long : value]),
    );
    const text = writeEntry({ ...facts, at: AT, kind: 'command.move' } as unknown as JournalFacts);
    expect(text.length).toBeLessThan(MAX_ENTRY);
    expect(readEntry(row(text))).toMatchObject({ kind: 'command.move', node: expect.stringMatching(/…$/) });
  });
});

describe('wordsOf', () => {
  const words = (facts: Partial<JournalFacts>) =>
    wordsOf({ id: '1-0', at: AT, kind: 'process.started', node: 'n1', ...facts });

  it.each<[Partial<JournalFacts>, string]>([
    [{ process: 'feed', epoch: 7, from: 'n2', ms: 3 }, 'epoch 7, before on n2, 3 ms'],
    [
      { kind: 'command.move', process: 'feed', target: 'n2', via: 'dashboard', actor: 'ada' },
      'to n2, by ada, dashboard',
    ],
    [{ kind: 'command.drain', target: 'n2', via: 'code' }, 'n2, by code'],
    [{ kind: 'cluster.node_left', reason: 'timeout', by: 'n2' }, 'timeout, seen by n2'],
    [{ kind: 'cluster.node_left', reason: 'shutdown', by: 'n1' }, 'shutdown'],
    [{ kind: 'cluster.node_joined', release: '1.2.3', version: '0.1.0' }, 'release 1.2.3, Foundation 0.1.0'],
    [
      { kind: 'release.deployed', release: '1.3.0', version: '0.1.0', others: '1.2.3', via: 'code' },
      'release 1.3.0, before 1.2.3, Foundation 0.1.0, by code',
    ],
    [{ kind: 'release.retired', release: '1.2.3', others: '1.3.0', via: 'code' }, 'release 1.2.3, now 1.3.0, by code'],
    [{ kind: 'process.escalated', count: 6 }, '6 ends'],
    [{ kind: 'process.crashed', error: 'it broke' }, 'it broke'],
  ])('says of %p: %s', (facts, text) => {
    expect(words(facts)).toBe(text);
  });
});
