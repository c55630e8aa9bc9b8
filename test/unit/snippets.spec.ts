// What the pages show is checked: here what needs no build, by `npm run docs:snippets` what the compiler says, by
// test/e2e/snippets.spec.ts what runs.
import { describe, expect, it } from '@jest/globals';
import { modulesOf, outputOf, withImports } from '../snippets/modules.mjs';
import { fencesOf, fencesOfPages } from '../snippets/pages.mjs';
import { missingLines } from '../snippets/run.mjs';
import { problemsOf } from '../snippets/texts.mjs';

const page = (...lines: string[]) => fencesOf('page.md', lines.join('\n'));
const fence = (info: string, ...lines: string[]) => page(`\`\`\`${info}`, ...lines, '```');

describe('the fences of all pages', () => {
  const fences = fencesOfPages();

  it('are there', () => expect(fences.length).toBeGreaterThan(30));
  it('are JSON, YAML, shell, or a piece of a file, as they say; what they call exists', () =>
    expect(problemsOf(fences)).toEqual([]));
  it('are mostly compiled', () => {
    const code = fences.filter(({ language }) => ['ts', 'js'].includes(language));
    expect(code.filter(({ words }) => words.includes('shown')).length * 10).toBeLessThan(code.length);
  });
});

describe('a page', () => {
  it('has fences of three characters or more, in lists too, and hidden ones in comments', () => {
    const found = page(
      '# A page',
      '```ts {1,3} [a title]',
      'a();',
      '```',
      '- in a list',
      '  ````md',
      '  ```',
      '  b',
      '  ````',
      '<!-- ts',
      'declare function a(): void;',
      '-->',
      '<!-- tsunami -->',
      '~~~ json run',
      '{}',
      '~~~',
    );
    expect(found.map(({ line, language, words, isHidden, text }) => [line, language, words, isHidden, text])).toEqual([
      [3, 'ts', [], false, 'a();'],
      [7, 'md', [], false, '```\nb'],
      [11, 'ts', [], true, 'declare function a(): void;'],
      [15, 'json', ['run'], false, '{}'],
    ]);
  });

  it('is refused when a fence has no end', () => expect(() => page('', '```ts', 'a')).toThrow('page.md:2'));
});

describe('a fence that is wrong', () => {
  it.each<[string, string[], string]>([
    ['tsx', ['<a/>'], 'nobody checks "tsx"'],
    ['ts sometimes', ['a'], 'no fence can say "sometimes"'],
    ['json', ['{ a: 1 }'], 'JSON'],
    ['yaml', ['a: [1'], 'sequence'],
    ['sh', ['if true; then'], 'syntax error'],
    ['sh', ['npm run -s nothing-of-this-name'], 'there is no script "nothing-of-this-name"'],
    ['sh', ['FOUNDATION_COOKIE=x npx foundation evict NODE'], 'there is no command "evict"'],
    ['sh', ['npx foundation status --application shop'], 'there is no option "--application"'],
    ['sh', ['nest g -c nestjs-foundation saga checkout'], 'there is no generator "saga"'],
    ['sh', ['nest add nestjs-foundation --dashbord'], 'there is no option "--dashbord"'],
    ['sh', ['docker compose -f deploy/no.yaml up'], 'there is no file "deploy/no.yaml"'],
    ['sh', ['kubectl apply -k deploy/nomad'], 'there is no folder "deploy/nomad"'],
    ['sh', ['node test/no.mjs'], 'there is no file "test/no.mjs"'],
    ['text', ['$ npx foundation dctor', 'ok'], 'there is no command "dctor"'],
    ['ts test/no.ts', ['a'], 'there is no file "test/no.ts"'],
    ['js test/snippets/run.mjs', ['export function runNothing() {'], 'does not say'],
  ])('is named: %s %j', (info, lines, sentence) => {
    expect(problemsOf(fence(info, ...lines))).toEqual([expect.stringContaining(sentence)]);
    expect(problemsOf(fence(info, ...lines))[0]).toMatch(/^page\.md:2: /);
  });

  it.each<[string, string[]]>([
    ['tsx shown', ['<a/>']],
    ['', ['anything $ npm run nothing']],
    ['json', ['{ "a": 1 }']],
    ['yaml', ['a: 1', '---', 'b: 2']],
    ['sh', ['npm ci && npm run demo # npx foundation nothing', 'npx foundation status --app "$APP" | head -3']],
    [
      'js test/snippets/run.mjs',
      ['  return new Promise((done, failed) => {', '  // …', '  child.once("error", failed);'],
    ],
  ])('is told from a good one: %s %j', (info, lines) => {
    expect(problemsOf(fence(info, ...lines.map((line) => line.replaceAll('"error"', "'error'"))))).toEqual([]);
  });
});

describe('the fences of TypeScript', () => {
  const fences = page(
    '# A page',
    '<!-- ts',
    'declare const channels: Channels;',
    '-->',
    '```ts',
    'class A {}',
    '```',
    '```ts shown',
    'nothing of this',
    '```',
    '```ts run',
    "import { x } from 'y';",
    '```',
    '```text output',
    'x …',
    '```',
    '<!-- ts',
    "import { hidden } from 'z';",
    '-->',
    '```ts',
    "import { seen } from 'z';",
    '```',
  );
  const modules = modulesOf(fences);

  it('are one module from top to bottom, until one begins with an import, on the lines of the page', () => {
    const linesOf = (text: string) =>
      text.split('\n').flatMap((line, index) => (line === '' ? [] : [[index + 1, line]]));
    expect(modules.map(({ text, isRun }) => [...linesOf(text), isRun])).toEqual([
      [[3, 'declare const channels: Channels;'], [6, 'class A {}'], false],
      [[12, "import { x } from 'y';"], true],
      [[18, "import { hidden } from 'z';"], [21, "import { seen } from 'z';"], false],
    ]);
  });

  it('have the output that comes next, of which any part may be left out', () => {
    expect(modules.map((each) => outputOf(each, fences))).toEqual([undefined, 'x …', undefined]);
    expect(missingLines('x … 2\n…\ny', 'a\n[1] x 1 and 2\nb\ny\n')).toEqual([]);
    expect(missingLines('x … 2\ny', 'y\nx 1 2\n')).toEqual(['y']);
  });

  it('need not import what is obvious, and are left alone otherwise', () => {
    const exported = { 'nestjs-foundation': ['Channels', 'A'], '@nestjs/common': ['Module', 'Channels'] };
    expect(withImports(modules[0]!, exported).split('\n').slice(0, 3)).toEqual([
      "import { Channels } from 'nestjs-foundation'; export {};",
      '',
      'declare const channels: Channels;',
    ]);
  });
});
