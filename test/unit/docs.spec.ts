// What is generated from the sources is up to date.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');

describe('docs/events.md', () => {
  it('says what events.ts says; else run npm run docs:events', async () => {
    const script = join(root, 'libs/foundation/docs.events.mjs');
    const checked = promisify(execFile)(process.execPath, [script, '--check'], { cwd: root, timeout: 60_000 });
    await expect(checked).resolves.toEqual({ stdout: '', stderr: '' });
  }, 60_000);
});
