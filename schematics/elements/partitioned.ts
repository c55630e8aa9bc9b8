import type { Element } from './element.text';

export const PARTITIONED: Element = {
  kind: 'partitioned',
  imports: ['Callable', 'Partitioned'],
  source: ({ file, type }) => `import { Callable, Partitioned } from 'nestjs-foundation';

/**
 * Divides keys over the nodes: each partition has one owner, and each key one
 * partition. Nest makes one more instance, which is never started: no effects
 * in the constructor.
 */
@Partitioned({ name: '${file}', partitions: 16 })
export class ${type} {
  readonly #sums = new Map<string, number>();

  /**
   * Called for a key, and so on the owner of its partition:
   * \`(await processes.startPartitioned(${type})).for(key).call('add', key, 1)\`.
   */
  @Callable()
  add(key: string, amount: number): number {
    const sum = (this.#sums.get(key) ?? 0) + amount;
    this.#sums.set(key, sum);
    return sum;
  }
}
`,
  uses: ['ProcessManager'],
  test: ({ type }) => ({
    name: 'keeps what belongs to a key in one place',
    body: `const ref = await app.get(ProcessManager).startPartitioned(${type});
expect(await ref.for('a').call('add', 'a', 1)).toBe(1);
expect(await ref.for('b').call('add', 'b', 1)).toBe(1);
expect(await ref.for('a').call('add', 'a', 2)).toBe(3);
`,
  }),
};
