// What is generated from the sources is up to date.
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { aclRule } from 'nestjs-foundation/testing';

const root = join(import.meta.dirname, '../..');

describe('docs/events.md', () => {
  it('says what events.ts says; else run npm run docs:events', async () => {
    const script = join(root, 'libs/foundation/docs.events.mjs');
    const checked = promisify(execFile)(process.execPath, [script, '--check'], { cwd: root, timeout: 60_000 });
    await expect(checked).resolves.toEqual({ stdout: '', stderr: '' });
  }, 60_000);
});

describe('docs/configuration.md', () => {
  it('says what the options and the table of variables say; else run npm run docs:configuration', async () => {
    const script = join(root, 'libs/foundation/docs.configuration.mjs');
    const checked = promisify(execFile)(process.execPath, [script, '--check'], { cwd: root, timeout: 60_000 });
    await expect(checked).resolves.toEqual({ stdout: '', stderr: '' });
  }, 60_000);
});

describe('docs/errors.md', () => {
  it('says what the classes of errors say; else run npm run docs:errors', async () => {
    const script = join(root, 'libs/foundation/docs.errors.mjs');
    const checked = promisify(execFile)(process.execPath, [script, '--check'], { cwd: root, timeout: 60_000 });
    await expect(checked).resolves.toEqual({ stdout: '', stderr: '' });
  }, 60_000);
});

describe('docs/invariants.md', () => {
  it('says what invariants.ts says, which every mark in the sources names; else run npm run docs:invariants', async () => {
    const script = join(root, 'libs/foundation/docs.invariants.mjs');
    const checked = promisify(execFile)(process.execPath, [script, '--check'], { cwd: root, timeout: 60_000 });
    await expect(checked).resolves.toEqual({ stdout: '', stderr: '' });
  }, 60_000);
});

describe('docs/foundation-v1.md', () => {
  it('says what the rows of test/unit/v1 say; else run npm run docs:v1', async () => {
    const script = join(root, 'libs/foundation/docs.v1.mjs');
    const checked = promisify(execFile)(process.execPath, [script, '--check'], { cwd: root, timeout: 60_000 });
    await expect(checked).resolves.toEqual({ stdout: '', stderr: '' });
  }, 60_000);
});

describe('README.md', () => {
  it('has the rule of the ACL that the tests run under', () => {
    const shown = readFileSync(join(root, 'README.md'), 'utf8').replaceAll(/['\\]/g, '').replaceAll(/\s+/g, ' ');
    expect(shown).toContain(aclRule('shop').join(' '));
    const inCluster = aclRule('shop', { isCluster: true }).filter((part) => !aclRule('shop').includes(part));
    for (const part of inCluster) expect(shown).toContain(part);
  });
});

describe('every page', () => {
  // CHANGELOG.md names what there was.
  const docs = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
  const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...docs.map((name) => `docs/${name}`)];
  const found = (pattern: RegExp) =>
    pages.flatMap((page) =>
      [...readFileSync(join(root, page), 'utf8').matchAll(pattern)].map(([, path]) => ({ page, path: path! })),
    );

  it('names files that there are', () => {
    const named = found(/`((?:[\w.-]+\/)+[\w.-]+\.(?:ts|m?js|md|json|ya?ml))`/g);
    const roots = [root, join(root, 'libs/foundation'), join(root, 'libs/foundation/src')];
    expect(named.length).toBeGreaterThan(200);
    expect(named.filter(({ path }) => !roots.some((folder) => existsSync(join(folder, path))))).toEqual([]);
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

describe('docs/architecture.md', () => {
  const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
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
