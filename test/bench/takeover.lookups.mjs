// Lookups of a service by name among those of another node, here and in moleculer, and how soon a new one is known.
import { join } from 'node:path';
import { startAsked } from './asked.mjs';
import { median } from './figures.mjs';
import { installed } from './packages.mjs';
import { precise } from './report.mjs';

const CHILD = join(import.meta.dirname, 'takeover.lookups.child.mjs');

const KINDS = [
  { kind: 'foundation', title: 'Foundation', how: '`discoverServices({ name })`' },
  { kind: 'moleculer', title: 'moleculer', how: '`registry.getActionEndpoints(name)`' },
];

/** Rows for the page. */
export async function lookups(redis, quick, versions) {
  installed('moleculer');
  const count = quick ? 100 : 1000;
  const rows = [];
  for (const { kind, title, how } of KINDS) {
    const children = [];
    try {
      for (const role of ['reader', 'owner'])
        children.push(await startAsked(CHILD, { kind, redis: redis.url, role }, { name: `${kind} ${role}` }));
      const [reader, owner] = children;
      const names = Array.from({ length: count }, (_, index) => `service-${index}`);
      await owner.ask('offer', { names });
      await Promise.all([0, count - 1].map((index) => reader.ask('until', { name: names[index] })));
      const micros = await reader.ask('measure', { count });
      const known = [];
      for (let index = 0; index < (quick ? 2 : 20); index++) {
        const name = `late-${index}`;
        const seen = reader.ask('until', { name });
        const at = await owner.ask('offer', { names: [name] });
        known.push(((await seen) - at) / 1000);
      }
      rows.push({ title: `${title} ${versions[kind]}`, how, micros, knownMs: precise(median(known)) });
    } finally {
      for (const { child } of children) child.kill('SIGKILL');
    }
  }
  return rows;
}
