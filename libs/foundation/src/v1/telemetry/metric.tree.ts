/**
 * Pure: metrics as 1.x shows them, nested by the parts of their names.
 */
import { isObject } from '../../wire/decode.js';
import type { EventName } from './metric.store.js';

/** Those that 1.x shows as plain counts, and under which name. */
const COUNTS: ReadonlyMap<string, string> = new Map([
  ['foundation.event_store.events_stored', 'events_stored'],
  ['foundation.config_updates', 'config_updates'],
  ['foundation.config_resets', 'config_resets'],
  ['foundation.config_operations', 'config_operations'],
]);

type Tree = Record<string, unknown>;

/** A metric of one node, or of all. */
interface Countable {
  readonly count: number;
  readonly measurements: Readonly<Record<string, unknown>>;
}

/** A metric whose name is the beginning of another one's has that other one among its fields, as in 1.x. */
export function nested(metrics: readonly (readonly [EventName, Countable])[]): Tree {
  const tree: Tree = {};
  // Shorter names first, so that what lies under a metric is put into it.
  for (const [name, metric] of [...metrics].sort(([a], [b]) => a.length - b.length)) {
    const count = COUNTS.get(name.join('.'));
    if (count === undefined) put(tree, name, { ...metric });
    else put(tree, ['foundation', count], countOf(metric));
  }
  return tree;
}

function countOf({ count, measurements: { counter } }: Countable): unknown {
  return isObject(counter) ? counter['sum'] : (counter ?? count);
}

/** Names are safe: none of them is that of a prototype. */
function put(tree: Tree, [name, ...rest]: EventName, value: unknown): void {
  if (rest.length === 0) tree[name!] = value;
  else {
    const inner = Object.hasOwn(tree, name!) ? tree[name!] : undefined;
    const place = typeof inner === 'object' && inner !== null ? (inner as Tree) : {};
    tree[name!] = place;
    put(place, rest, value);
  }
}
