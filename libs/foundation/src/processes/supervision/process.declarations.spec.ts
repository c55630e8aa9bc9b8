import { describe, expect, it } from '@jest/globals';
import { processDefaults } from '../../config/resolve.js';
import { type ProcessSpec, specOf } from '../declaration/process.specification.js';
import type { VersionedEntry } from '../table/process.table.js';
import { ProcessDeclarations } from './process.declarations.js';

const defaults = processDefaults({});
const of = (name: string): ProcessSpec =>
  specOf(
    {
      ...{ subject: `@Singleton ${name}`, type: name, declared: true, kind: 'singleton', count: 1 },
      ...{ options: { name }, args: [] },
    },
    defaults,
  );

describe('ProcessDeclarations', () => {
  it('compares a row with what is declared once, until the row is another one', () => {
    let reads = 0;
    const rowOf = (spec: ProcessSpec): VersionedEntry => {
      const row = { ...spec, status: 'wanted', after: 0, version: 1 } as VersionedEntry;
      return Object.defineProperty(row, 'args', { get: () => ((reads += 1), []) });
    };
    const specs = [of('a'), of('b')];
    const rows = new Map(specs.map((spec) => [spec.name, rowOf(spec)]));
    const parts = [
      {},
      { state: 'up', self: { name: 'n1', bootId: 'b1' }, records: () => [] },
      { get: (name: string) => rows.get(name) },
    ] as unknown as ConstructorParameters<typeof ProcessDeclarations>;
    const declarations = new ProcessDeclarations(...parts);
    declarations.add(specs);
    declarations.review();
    const once = reads;
    expect(once).toBeGreaterThanOrEqual(2);
    for (let beat = 0; beat < 10; beat++) declarations.review();
    expect(reads).toBe(once);
    rows.set('b', rowOf(specs[1]!));
    declarations.noteRows(['other']);
    declarations.review();
    expect(reads).toBe(once);
    declarations.noteRows(['b']);
    declarations.review();
    expect(reads).toBe(once + once / 2);
  });
});
