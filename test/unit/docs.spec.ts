// What is generated from the sources is up to date.
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { aclRule } from 'nestjs-foundation/testing';

const root = join(import.meta.dirname, '../..');

// What is generated from the sources, and the script of package.json that writes it.
describe.each([
  ['docs/reference/events.md', 'events', 'events.ts'],
  ['docs/reference/configuration.md', 'configuration', 'the options and the table of variables'],
  ['docs/reference/errors.md', 'errors', 'the classes of errors'],
  ['docs/reference/invariants.md', 'invariants', 'invariants.ts, which every mark in the sources names'],
  ['docs/reference/metrics.md', 'metrics', 'metric.definitions.ts'],
  ['docs/reference/cli.md', 'cli', 'the commands of the program'],
  ['docs/reference/foundation-v1.md', 'v1', 'the rows of test/unit/v1'],
])('%s', (_page, script, source) => {
  it(`says what ${source} say; else run npm run docs:${script}`, async () => {
    const file = join(root, `libs/foundation/docs.${script}.mjs`);
    const checked = promisify(execFile)(process.execPath, [file, '--check'], { cwd: root, timeout: 60_000 });
    await expect(checked).resolves.toEqual({ stdout: '', stderr: '' });
  }, 60_000);
});

describe('docs/guides/security.md', () => {
  it('has the rule of the ACL that the tests run under', () => {
    const shown = readFileSync(join(root, 'docs/guides/security.md'), 'utf8')
      .replaceAll(/['\\]/g, '')
      .replaceAll(/\s+/g, ' ');
    expect(shown).toContain(aclRule('shop').join(' '));
    const inCluster = aclRule('shop', { isCluster: true }).filter((part) => !aclRule('shop').includes(part));
    for (const part of inCluster) expect(shown).toContain(part);
  });
});

describe('docs/guides/troubleshooting.md', () => {
  it('quotes what Foundation says', () => {
    const folder = join(root, 'libs/foundation/src');
    const said = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('\n')
      .replaceAll(/['"`]\s*\+\s*['"`]/g, '')
      .replaceAll("\\'", "'");
    const page = readFileSync(join(root, 'docs/guides/troubleshooting.md'), 'utf8');
    // Sentences are put together of parts, with names and numbers in between; the subject of some is made elsewhere.
    const quoted = [...page.matchAll(/`([A-Z@…][^`]{30,})`/g)].flatMap(([, text]) =>
      text!.split(/: |…|"[^"]*"|\{.*\}|\d+|\([^)]*\)/).map((part) => part.trim()),
    );
    const parts = quoted.filter((part) => part.length >= 24);
    expect(parts.length).toBeGreaterThan(20);
    expect(parts.filter((part) => !said.includes(part))).toEqual([]);
  });
});

describe('every page', () => {
  // CHANGELOG.md names what there was.
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name));
  const examples = readdirSync(join(root, 'examples'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, 'examples', entry.name, 'README.md')))
    .map(({ name }) => join('examples', name, 'README.md'));
  const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...docs, ...examples];
  const found = (pattern: RegExp) =>
    pages.flatMap((page) =>
      [...readFileSync(join(root, page), 'utf8').matchAll(pattern)].map(([, path]) => ({ page, path: path! })),
    );

  it('names files that there are', () => {
    const named = found(/`((?:[\w.-]+\/)+[\w.-]+\.(?:ts|m?js|md|json|ya?ml))`/g);
    const roots = [root, join(root, 'libs/foundation'), join(root, 'libs/foundation/src')];
    expect(named.length).toBeGreaterThan(200);
    // An example names its own files.
    const foldersOf = (page: string) => (page.startsWith('examples/') ? [join(root, dirname(page)), ...roots] : roots);
    const isThere = (page: string, path: string) => foldersOf(page).some((folder) => existsSync(join(folder, path)));
    expect(named.filter(({ page, path }) => !isThere(page, path))).toEqual([]);
  });

  it('has few lines, so that it is about one thing', () => {
    const generated = /^docs\/reference\/|^docs\/guarantees\/benchmarks\.md$|^CONTRIBUTING\.md$/;
    const linesOf = (page: string): number => readFileSync(join(root, page), 'utf8').trimEnd().split('\n').length;
    expect(linesOf('README.md')).toBeLessThanOrEqual(150);
    expect(pages.filter((page) => !generated.test(page) && linesOf(page) > 250)).toEqual([]);
  });

  it('is in the list of docs/index.md', () => {
    const listed = found(/\]\(([^)\s#]+)\)/g).filter(({ page }) => page === 'docs/index.md');
    const paths = new Set(['docs/index.md', ...listed.map(({ path }) => join('docs', path))]);
    expect(docs.filter((page) => !paths.has(page))).toEqual([]);
  });

  it('links to files that there are, and to headings that they have', () => {
    const links = found(/\]\((?!https?:)([^)\s]+)\)/g);
    const anchorsOf = (file: string): string[] =>
      [...readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
        heading!
          .toLowerCase()
          .replace(/[^\p{L}\p{N} _-]/gu, '')
          .replaceAll(' ', '-'),
      );
    const isThere = ({ page, path }: { page: string; path: string }): boolean => {
      const [file, anchor] = path.split('#');
      const target = file ? join(root, dirname(page), file) : join(root, page);
      return existsSync(target) && (anchor === undefined || anchorsOf(target).includes(anchor));
    };
    expect(links.length).toBeGreaterThan(20);
    expect(links.filter((link) => !isThere(link))).toEqual([]);
  });
});

describe('docs/contributing/architecture.md', () => {
  const page = readFileSync(join(root, 'docs/contributing/architecture.md'), 'utf8');
  const named = [...page.matchAll(/`([a-z.0-9/]+(?:\/|\.ts))`/g)].map(([, path]) => path!);
  const isThere = (path: string): boolean => existsSync(join(root, 'libs/foundation/src', path));

  it('names rooms and files that there are', () => {
    expect(named.length).toBeGreaterThan(60);
    expect(named.filter((path) => !isThere(path) && !existsSync(join(root, path)))).toEqual([]);
  });

  it('has every room of the floor plan, so that none is added unnoticed', () => {
    const plan = readFileSync(join(root, 'test/floors.spec.ts'), 'utf8').match(/const PLAN[^;]*;/)![0];
    const rooms = [...plan.matchAll(/'([^']+)'/g)].map(([, room]) => room!);
    const above = (room: string): string[] => room.split('/').map((_, index, all) => all.slice(0, index + 1).join('/'));
    const isNamed = (room: string): boolean =>
      above(room).some((each) => page.includes(`\`${each}/\``) || page.includes(`\`${each}.ts\``));
    expect(rooms.length).toBeGreaterThan(30);
    expect(rooms.filter((room) => room !== 'decorated' && !isNamed(room))).toEqual([]);
  });
});
