/**
 * Shows the nodes as they see themselves: a live table on a terminal, plain lines anywhere else.
 */
import type { DemoNode } from './node.js';

/** Where it is shown: `process.stdout`, or `process.stderr` with `--json`. */
export type Screen = NodeJS.WriteStream;

const WIDTHS = [8, 8, 7, 10, 24, 28];

/** See the file header. */
export class Table {
  readonly #bornAt = performance.now();
  #nodes: readonly DemoNode[] = [];
  #drawn = 0;

  constructor(
    private readonly screen: Screen,
    private readonly singleton: string,
  ) {}

  /** Shows these nodes from now on. */
  show(nodes: readonly DemoNode[]): void {
    this.#nodes = nodes;
  }

  /** A line that stays, above the table. */
  say(line: string): void {
    const seconds = ((performance.now() - this.#bornAt) / 1000).toFixed(1).padStart(5);
    this.#erase();
    this.screen.write(`${seconds} s  ${line}\n`);
    this.draw();
  }

  /** Draws the table anew where it is; does nothing without a terminal. */
  draw(): void {
    if (!this.screen.isTTY || this.#nodes.length === 0) return;
    this.#erase();
    const lines = ['', ...this.#lines()].map((line) => line.slice(0, (this.screen.columns || 80) - 1));
    this.screen.write(`${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }

  /** Without a terminal: the table as lines that stay. */
  print(): void {
    if (this.screen.isTTY) this.draw();
    else for (const line of this.#lines()) this.screen.write(`         ${line.trimEnd()}\n`);
  }

  /** Leaves the screen to whoever writes next. */
  end(): void {
    this.#erase();
    this.#nodes = [];
  }

  #erase(): void {
    // Cursor up by as many lines as were drawn, then erase to the end of the screen.
    if (this.#drawn > 0) this.screen.write(`\x1b[${this.#drawn}A\x1b[J`);
    this.#drawn = 0;
  }

  #lines(): string[] {
    const head = ['NODE', 'PID', 'HTTP', 'STATE', 'MEMBERS', `OWNER OF ${this.singleton}`, 'LAST TICK'];
    return [head, ...this.#nodes.map((node) => this.#row(node))].map((cells) =>
      cells.map((cell, column) => cell.padEnd(WIDTHS[column] ?? 0)).join(''),
    );
  }

  #row({ name, pid, port, status }: DemoNode): string[] {
    if (status === undefined) return [name, `${pid ?? '-'}`, `${port ?? '-'}`, pid === undefined ? 'dead' : 'starting'];
    const owned = status.processes?.find((info) => info.name === this.singleton);
    const tick = status.ticks.last.at(-1);
    return [
      name,
      `${pid ?? '-'}`,
      `${port ?? '-'}`,
      status.node.state,
      status.members.map((member) => (member.state === 'up' ? member.name : `${member.name}?`)).join(' '),
      owned?.epoch === undefined ? '-' : `${owned.node} ${owned.epoch}`,
      tick === undefined ? '-' : `${tick.symbol} ${tick.price.toFixed(2)} #${tick.tick}`,
    ];
  }
}
