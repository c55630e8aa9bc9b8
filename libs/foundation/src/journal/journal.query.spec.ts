import { describe, expect, it } from '@jest/globals';
import { ArgumentError } from '../errors/config.errors.js';
import { checkQuery, isMeant } from './journal.query.js';

const NOW = 1_795_961_830_000;
const check = (query: unknown) => checkQuery('read', query, NOW);

describe('a query', () => {
  it('has times as milliseconds, dates, ISO dates, or how long ago', () => {
    expect(check({})).toMatchObject({ since: 0, until: Infinity, limit: 100 });
    expect(check({ since: '1d', until: NOW })).toMatchObject({ since: NOW - 86_400_000, until: NOW });
    expect(check({ since: new Date(5), until: '2026-11-30T06:00:00Z' })).toMatchObject({
      ...{ since: 5, until: Date.parse('2026-11-30T06:00:00Z') },
    });
    expect(check({ since: '2026-11-30' }).since).toBe(Date.parse('2026-11-30'));
  });

  it.each<[string, unknown]>([
    ['query', undefined],
    ['query', 'feed'],
    ['query', []],
    ['name', { name: 'feed' }],
    ['process', { process: '' }],
    ['process', { process: 5 }],
    ['process', { process: 'x'.repeat(301) }],
    ['node', { node: {} }],
    ['kind', { kind: 'crash' }],
    ['kind', { kind: '*' }],
    ['kind', { kind: 'process.*.*' }],
    ['since', { since: 'yesterday' }],
    ['since', { since: -1 }],
    ['since', { since: NaN }],
    ['since', { since: new Date(NaN) }],
    ['until', { until: {} }],
    ['until', { until: '2026-99-99' }],
    ['after', { after: 'here' }],
    ['limit', { limit: 0 }],
    ['limit', { limit: 1001 }],
    ['limit', { limit: '5' }],
  ])('is refused for a wrong %s: %p', (argument, query) => {
    expect(() => check(query)).toThrow(ArgumentError);
    expect(() => check(query)).toThrow(expect.objectContaining({ argument }));
  });

  it('means a process with its parts, a node that it was on, a kind or a room of kinds', () => {
    const entry = { id: '1-0', at: 10, kind: 'process.started', node: 'n1', process: 'accounts/3', from: 'n2' };
    const isIt = (query: unknown) => isMeant(check(query), entry);
    for (const query of [
      {},
      ...[{ process: 'accounts' }, { process: 'accounts/3' }, { node: 'n1' }, { node: 'n2' }],
      ...[{ kind: 'process.started' }, { kind: 'process.*' }, { since: 10, until: 10 }],
    ])
      expect([query, isIt(query)]).toEqual([query, true]);
    for (const query of [
      ...[{ process: 'accounts/4' }, { process: 'account' }, { node: 'n3' }],
      ...[{ kind: 'process.stopped' }, { kind: 'proces.*' }, { since: 11 }, { until: 9 }],
    ])
      expect([query, isIt(query)]).toEqual([query, false]);
  });
});
