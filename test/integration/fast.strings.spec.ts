// What `fast.strings.ts` is for, in a process of its own: V8 is asked what it makes of `String.prototype`.
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';

/** Loads these one after the other. */
function isFastAfter(...modules: string[]): boolean {
  const loads = modules.map((name) => `await import(${JSON.stringify(name)});`);
  const program = `${loads.join('\n')}\nconsole.log(%HasFastProperties(String.prototype));`;
  const args = ['--allow-natives-syntax', '--input-type=module', '--eval', program];
  return execFileSync(process.execPath, args, { encoding: 'utf8', cwd: process.cwd() }).trim() === 'true';
}

describe('Strings', () => {
  it.each(['ioredis', 'bullmq'])('stay fast in an application that loads Foundation and then %s', (name) => {
    expect(isFastAfter('nestjs-foundation', name)).toBe(true);
  });

  it('are slow with ioredis alone; when they are not any more, fast.strings.ts can go', () => {
    expect(isFastAfter('ioredis')).toBe(false);
  });
});
