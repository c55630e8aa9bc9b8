/**
 * The compiler of the application: the package has none of its own, and with pnpm only what the application lists can
 * be required.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type TypeScript from 'typescript';
import { Refusal } from '../refusal';

export type Compiler = typeof TypeScript;

let found: Compiler | undefined;

/**
 * Underneath: `require('typescript')` from the folder of the application, else from its `@nestjs/cli`. A version
 * without the syntax tree in JavaScript is passed over.
 */
export function compiler(): Compiler {
  return (found ??= find());
}

function find(): Compiler {
  const application = join(process.cwd(), 'package.json');
  for (const from of [() => application, () => createRequire(application).resolve('@nestjs/cli/package.json')]) {
    try {
      const candidate = createRequire(from())('typescript') as Partial<Compiler>;
      if (typeof candidate.createSourceFile === 'function') return candidate as Compiler;
    } catch {
      // Not installed there.
    }
  }
  throw new Refusal(
    'TypeScript is not installed in this application, so its root module cannot be read',
    'npm install --save-dev typescript',
  );
}
