// What is generated from the sources is up to date.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
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

describe('README.md', () => {
  it('has the rule of the ACL that the tests run under', () => {
    const shown = readFileSync(join(root, 'README.md'), 'utf8').replaceAll(/['\\]/g, '').replaceAll(/\s+/g, ' ');
    expect(shown).toContain(aclRule('shop').join(' '));
    const inCluster = aclRule('shop', { isCluster: true }).filter((part) => !aclRule('shop').includes(part));
    for (const part of inCluster) expect(shown).toContain(part);
  });
});
