import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { acquired, history, type Line, lost, PIDS, us } from '../../../../../test/support/history.lines.js';
import { boundedSink, HISTORY_FULL } from './bounded.sink.js';
import { ClusterHistory, type NodeLife } from './cluster.history.js';

let folder: string;
let count = 0;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'foundation-history-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function life(name: string, lines: Line[], more: Partial<NodeLife> = {}): NodeLife {
  const file = join(folder, `${name}.${++count}.ndjson`);
  for (const event of history(...lines)) appendFileSync(file, `${JSON.stringify(event)}\n`);
  return {
    ...{ name, pid: PIDS[name]!, exit: undefined, isEnding: false, injuries: { frozen: [] }, history: file },
    ...more,
  };
}

describe('the history of a cluster', () => {
  it('is the events of all nodes in the order of their time', () => {
    const all = new ClusterHistory([
      life('a', [acquired(2, 'a', 1), lost(4, 'a', 1)]),
      life('b', [acquired(5, 'b', 2)]),
      life('c', [], { history: undefined }),
      life('c', [], { history: join(folder, 'not written yet') }),
    ]);
    expect(all.events().map(({ node, event }) => `${node} ${event}`)).toEqual([
      'a lease.acquired',
      'a lease.lost',
      'b lease.acquired',
    ]);
    expect(all.ownersOf('job')).toEqual(['a', 'b']);
    expect(() => all.requireSingleOwner('job')).not.toThrow();
  });

  it('grows with the files, by whole lines', () => {
    const node = life('a', [acquired(2, 'a', 1)]);
    const all = new ClusterHistory([node]);
    expect(all.events()).toHaveLength(1);
    const [next] = history(lost(4, 'a', 1)).map(
      (event) => `${JSON.stringify({ ...event, payload: { name: 'größer' } })}\n`,
    );
    appendFileSync(node.history!, next!.slice(0, 20));
    expect(all.events()).toHaveLength(1);
    appendFileSync(node.history!, next!.slice(20));
    all.lives.push(life('b', [acquired(5, 'b', 2)]));
    expect(all.events().map(({ payload }) => payload['name'])).toEqual(['job', 'größer', 'job']);
    expect(all.events()).toHaveLength(3);
  });

  it('finds two owners at a time, and says which', () => {
    const all = new ClusterHistory([life('a', [acquired(2, 'a', 1)]), life('b', [acquired(5, 'b', 2)])]);
    expect(() => all.requireSingleOwner('job')).toThrow(
      /"job" had two owners at a time:\nI1: .*b became one while a was/s,
    );
    expect(() => all.requireSingleOwner('other')).toThrow(/No node has owned "other"/);
    expect(all.violations()).toHaveLength(1);
  });

  it('knows who could not be an owner any longer: the killed, the frozen, the ended', () => {
    const after = [acquired(5, 'b', 2)];
    const of = (more: Partial<NodeLife>): ClusterHistory =>
      new ClusterHistory([life('a', [acquired(2, 'a', 1)], more), life('b', after)]);
    const sound = [
      of({ injuries: { killedAt: us(4), frozen: [] } }),
      of({ injuries: { frozen: [{ from: us(3) }] } }),
      of({ exit: { code: 1, signal: null, at: us(4) }, isEnding: true }),
    ];
    for (const all of sound) expect(() => all.requireSingleOwner('job')).not.toThrow();
    const late = of({ injuries: { killedAt: us(6), frozen: [] } });
    expect(() => late.requireSingleOwner('job')).toThrow(/two owners/);
  });

  it('ends before it fills the disk, and then nothing is said of owners', () => {
    const kept: string[] = [];
    const [first, second, third] = history(acquired(1, 'a', 1), lost(2, 'a', 1), acquired(3, 'a', 2)).map((event) =>
      JSON.stringify(event),
    );
    const sink = boundedSink((line) => kept.push(line), first!.length + 1);
    for (const line of [first!, second!, third!]) sink(line);
    expect(kept).toEqual([first, expect.stringContaining(HISTORY_FULL)]);
    const full = join(folder, 'full.ndjson');
    appendFileSync(full, `${kept.join('\n')}\n`);
    const all = new ClusterHistory([life('b', [], { history: full })]);
    expect(() => all.requireSingleOwner('job')).toThrow(/history of node a is longer than a test keeps/);
    expect(() => all.violations()).toThrow(/longer than a test keeps/);
  });
});
