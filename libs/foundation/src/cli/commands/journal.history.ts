/**
 * `foundation history [PROCESS]`: what happened in the cluster, the newest last.
 * Called by `run.ts`; underneath `Journal.read`.
 */
import { ArgumentError } from '../../errors/config.errors.js';
import { isA } from '../../errors/describe.js';
import type { JournalEntry } from '../../journal/journal.js';
import { wordsOf } from '../../journal/journal.words.js';
import type { Command } from '../command.js';
import { whileObserving } from '../observer.js';
import { type Color, paint } from '../terminal.js';
import { type Column, drawTable } from '../text.table.js';

const COLUMNS: readonly Column[] = [
  { title: 'TIME' },
  { title: 'KIND' },
  { title: 'PROCESS', shrinks: true },
  { title: 'NODE', shrinks: true },
  { title: 'WHAT', shrinks: true },
];

/** What the words may be: fewer things than the values of a program, which the errors of the journal name. */
const TAKES: Readonly<Record<string, string>> = {
  since: 'a date, such as 2026-01-31T08:00, or how long ago, such as 15m or 1d',
  until: 'a date, such as 2026-01-31T08:00, or how long ago, such as 15m or 1d',
  kind: 'a kind such as process.crashed, or process.* for all of them',
  node: 'the name of a node',
  process: 'the name of a process',
};

/** Exit code 0 also where nothing has happened; 2 for a query that is none. */
export const history: Command = async (config, { args: [process], query, json }, terminal) => {
  return whileObserving(config, async ({ journal }) => {
    let entries: JournalEntry[];
    try {
      entries = await journal.read({ ...query, ...(process === undefined ? {} : { process }) });
    } catch (error) {
      if (!isA(error, ArgumentError)) throw error;
      const { argument } = error;
      terminal.err(
        `${argument === 'process' ? 'PROCESS' : `--${argument}`} takes ${TAKES[argument] ?? 'another value'}.`,
      );
      return 2;
    }
    if (json) terminal.out(JSON.stringify({ ok: true, app: config.appName, entries }));
    else if (entries.length === 0) terminal.out('Nothing of that is in the journal.');
    else {
      entries.reverse();
      const [titles = '', ...lines] = drawTable(COLUMNS, entries.map(cells), terminal.width);
      terminal.out(paint(terminal, 'dim', titles));
      lines.forEach((line, index) => terminal.out(paint(terminal, colorOf(entries[index]!), line)));
    }
    return 0;
  });
};

function cells(entry: JournalEntry): string[] {
  return [timeOf(entry.at), entry.kind, entry.process ?? '', entry.node, wordsOf(entry)];
}

/** In the time zone of this machine. */
function timeOf(at: number): string {
  const date = new Date(at);
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

const BAD = /crashed|escalated|lost|isolated|interrupted|name_taken/;
const WARN = /release|lease|missed|skipped|drain|left_out|unrecorded/;

function colorOf({ kind, reason }: JournalEntry): Color | undefined {
  if (BAD.test(kind) || (kind === 'cluster.node_left' && reason !== 'shutdown')) return 'red';
  return WARN.test(kind) || kind.startsWith('command.') ? 'yellow' : undefined;
}
