import type { Element } from './element.text';

export const REPLICATED: Element = {
  kind: 'replicated',
  imports: ['Callable', 'OnProcessStart', 'ProcessContext', 'Replicated'],
  source: ({ file, type }) => `import {
  Callable,
  type OnProcessStart,
  type ProcessContext,
  Replicated,
} from 'nestjs-foundation';

/**
 * Runs on every node, those that join later included. With \`replicas: 3\` it
 * runs three times in the whole cluster. Nest makes one more instance, which
 * is never started: no effects in the constructor.
 */
@Replicated({ name: '${file}' })
export class ${type} implements OnProcessStart {
  #node = '';

  /** What goes on until the stop belongs into \`ctx.run(async (signal) => …)\`. */
  onProcessStart(ctx: ProcessContext): void {
    this.#node = ctx.node;
  }

  @Callable()
  whereabouts(): string {
    return this.#node;
  }
}
`,
  uses: ['ProcessManager'],
  test: ({ type }) => ({
    name: 'runs on every node',
    body: `const started = await app.get(ProcessManager).startReplicated(${type});
expect(started.map(({ ok }) => ok)).toEqual([true]);
`,
  }),
};
