import { describe, expect, it } from '@jest/globals';
import type { Member } from '../cluster/member.js';
import type { ProcessInfo, ProcessState } from '../processes/process.ref.js';
import { awaitCluster, missingIn } from './awaited.cluster.js';
import type { Observer } from './observer.js';

const nodes = (...states: Member['state'][]) =>
  states.map((state, index) => ({ name: `n${index}`, bootId: `b${index}`, state }) as Member);
const processes = (...states: ProcessState[]) =>
  states.map((state, index) => ({ name: `p${index}`, state }) as ProcessInfo);

describe('what a deployment waits for', () => {
  it.each([
    [nodes('up', 'up'), processes('running', 'completed', 'stopped', 'lost', 'orphaned'), 2, []],
    [nodes('up', 'suspect', 'draining'), [], 2, ['1 of 2 nodes ready']],
    [[], [], 1, ['0 of 1 node ready']],
    [
      nodes('up'),
      processes('waiting', 'starting', 'backing-off', 'failed', 'escalated'),
      1,
      ['p0 is waiting', 'p1 is starting', 'p2 is backing-off', 'p3 is failed', 'p4 is escalated'],
    ],
    [
      nodes('up'),
      [{ ...processes('waiting')[0]!, reason: 'no node has the label gpu' }],
      1,
      ['p0 is waiting (no node has the label gpu)'],
    ],
  ])('%#', (members, list, ready, missing) => {
    expect(missingIn({ nodes: members, processes: list }, ready)).toEqual(missing);
  });

  it('names five processes, and counts the rest', () => {
    const list = processes(...Array.from({ length: 10_000 }, () => 'waiting' as const));
    expect(missingIn({ nodes: nodes('up'), processes: list }, 1).slice(5)).toEqual(['9995 more processes not running']);
  });

  it('ends with what is missing when its time is over, or when it is stopped', async () => {
    let now = 0;
    const observer = {
      processes: { list: () => Promise.resolve(processes('waiting')) },
      look: () => Promise.resolve({ members: nodes('up') }),
      health: { clusterHealth: () => Promise.resolve({}) },
      membership: { clusterNow: () => 0 },
      services: { services: () => [] },
    } as unknown as Observer;
    const told: string[][] = [];
    const awaited = {
      ...{ ready: 1, forMs: 50, changed: (missing: readonly string[]) => void told.push([...missing]) },
      signal: new AbortController().signal,
    };
    const clock = { monotonic: () => (now += 20) };
    const { missing } = await awaitCluster('app', observer, awaited, clock);
    expect(missing).toEqual(['p0 is waiting']);
    expect(told).toEqual([['p0 is waiting']]); // told once, though looked at more often
    const stopped = { ...awaited, forMs: 1e9, signal: AbortSignal.abort() };
    expect((await awaitCluster('app', observer, stopped, clock)).missing).toEqual(['p0 is waiting']);
  });
});
