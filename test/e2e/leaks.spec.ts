// What a node keeps of others that come and go, of names that are used once, and of connections that break: a short
// form of `npm run chaos:leaks`.
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';

const MAIN = resolve(import.meta.dirname, '../chaos/leaks.mjs');

it('leave no connection, key, timer, listener or memory behind', async () => {
  const args = [MAIN, '--cycles', '2', '--names', '200', '--reconnects', '10'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 170_000 });
  expect(stdout).toMatch(/cycles in .* s: /);
  expect(stdout).not.toMatch(/LEAK/);
}, 180_000);
