import { beforeEach, expect, it } from '@jest/globals';
import type { Backend } from '../backend/backend.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import type { MembershipListener } from '../cluster/member.js';
import type { Hint, HintListener } from '../wire/hint.js';
import { Awaited, type News } from './process.changes.js';
import type { ProcessTable } from './table/process.table.js';

let hint: (hint: Hint) => void;
let change: (...names: string[]) => void;
let listener: MembershipListener;
let awaited: Awaited;
let heard: [string, News][];

beforeEach(() => {
  const backend = { onHint: (hear: HintListener) => (hint = hear) } as unknown as Backend;
  const membership = { listen: (given: MembershipListener) => (listener = given) } as unknown as ClusterView;
  const onChange = (hear: (changed: ReadonlySet<string>) => void) => (change = (...names) => hear(new Set(names)));
  awaited = new Awaited(backend, membership, { onChange } as unknown as ProcessTable);
  heard = [];
});

const listen = (name: string) => awaited.listen(name, (news) => heard.push([name, news]));

it('notifies those that wait for a process, or a part of it, and no others', () => {
  for (const name of ['feed', 'shop', 'shop/3', 'all@n1']) listen(name);
  change('feed', 'other');
  hint({ t: 'running', name: 'shop/7' });
  hint({ t: 'released', name: 'all@n2' });
  hint({ t: 'table' });
  hint({ t: 'load', node: 'feed', load: 1 });
  expect(heard).toEqual([
    ['feed', 'row'],
    ['shop', 'owner'],
    ['shop/3', 'owner'],
    ['all@n1', 'owner'],
  ]);
});

it('tells all of them that the members changed', () => {
  for (const name of ['feed', 'shop']) listen(name);
  listener.changed?.();
  expect(heard).toEqual([
    ['feed', 'members'],
    ['shop', 'members'],
  ]);
});

it('does not notify those that no longer wait, even while others still do or do again', () => {
  const stop = listen('feed');
  stop();
  stop();
  const stops = [listen('feed'), listen('feed')];
  stops[0]!();
  stops[0]!();
  change('feed');
  expect(heard).toEqual([['feed', 'row']]);
  stops[1]!();
  change('feed');
  hint({ t: 'running', name: 'feed' });
  expect(heard).toHaveLength(1);
});
