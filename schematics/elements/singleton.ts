import type { Element } from './element.text';

export const SINGLETON: Element = {
  kind: 'singleton',
  imports: ['Callable', 'OnProcessStart', 'ProcessContext', 'Singleton'],
  source: ({ file, type }) => `import {
  Callable,
  type OnProcessStart,
  type ProcessContext,
  Singleton,
} from 'nestjs-foundation';

/**
 * Runs on one node of the cluster at a time, and moves when that node leaves
 * or dies. Nest makes one more instance, which is never started: no effects
 * in the constructor.
 */
@Singleton({ name: '${file}' })
export class ${type} implements OnProcessStart {
  #node = '';

  /** What goes on until the stop belongs into \`ctx.run(async (signal) => …)\`. */
  onProcessStart(ctx: ProcessContext): void {
    this.#node = ctx.node;
  }

  /** Any node can call it: \`@InjectSingleton(${type})\` gives a \`Remote<${type}>\`. */
  @Callable()
  whereabouts(): string {
    return this.#node;
  }
}
`,
  uses: ['ProcessManager'],
  test: ({ type }) => ({
    name: 'runs once, and answers calls',
    body: `const ref = await app.get(ProcessManager).startSingleton(${type});
expect(await ref.call('whereabouts')).toBe(ref.node);
`,
  }),
};
