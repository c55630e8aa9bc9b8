/**
 * The spec of a generated class, for the runner of the application: without a cluster, so without a Redis.
 */
import type { Tree } from '@angular-devkit/schematics';
import type { Manifest } from '../application/application';
import { textOf } from '../application/files';
import type { Names } from '../application/names';
import { rangeIn } from '../application/packages';
import type { Element } from './element.text';

/** The line that imports the functions of the runner; empty where they are global. */
export type Runner = { from: string };

export function runnerOf(tree: Tree, manifest: Manifest): Runner | undefined {
  const usesVitest = rangeIn(manifest, 'vitest') !== undefined;
  if (!usesVitest && rangeIn(manifest, 'jest') === undefined) return undefined;
  const areGlobal = usesVitest
    ? textOf(tree, 'tsconfig.json')?.includes('vitest/globals') === true
    : rangeIn(manifest, '@types/jest') !== undefined;
  const from = usesVitest ? 'vitest' : '@jest/globals';
  return { from: areGlobal ? '' : `import { afterEach, beforeEach, describe, expect, it } from '${from}';\n` };
}

export function specText(element: Element, names: Names, runner: Runner, path: string): string {
  const { name, body } = element.test(names);
  const uses = ['FoundationModule', ...element.uses].sort().join(', ');
  const { testing = [] } = element;
  const tools = testing.length === 0 ? '' : `import { ${testing.join(', ')} } from 'nestjs-foundation/testing';\n`;
  return `import { Test, TestingModule } from '@nestjs/testing';
import { ${uses} } from 'nestjs-foundation';
${tools}${runner.from}import { ${names.type} } from '${path}';

describe('${names.type}', () => {
  let app: TestingModule;

  beforeEach(async () => {
    // One node in this process, and no Redis.
    app = await Test.createTestingModule({
      imports: [FoundationModule.forRoot({ cluster: false })],
      providers: [${names.type}],
    }).compile();
    await app.init();
  });

  afterEach(async () => {
    await app.close();
  });

  it('${name}', async () => {
${body.trimEnd().replace(/^(?=.)/gm, '    ')}
  });
});
`;
}
