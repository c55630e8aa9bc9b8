import type { Element } from './element.text';

export const SERVICE: Element = {
  kind: 'service',
  suffix: 'Service',
  imports: ['Callable', 'Injectable', 'Service'],
  source: ({ file, type }) => `import { Injectable } from '@nestjs/common';
import { Callable, Service } from 'nestjs-foundation';

/** An instance of the service on every node; \`ServiceMesh\` finds and calls one. */
@Service({ name: '${file}' })
@Injectable()
export class ${type} {
  /** Any node can call it: \`mesh.call('${file}', 'greet', ['you'])\`. */
  @Callable()
  greet(name: string): string {
    return \`Hello \${name}\`;
  }
}
`,
  uses: ['ServiceMesh'],
  test: ({ file }) => ({
    name: 'is found, and answers calls',
    body: `const mesh = app.get(ServiceMesh);
expect(await mesh.call('${file}', 'greet', ['you'])).toBe('Hello you');
`,
  }),
};
