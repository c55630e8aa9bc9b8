/** Pure: an entry of the journal in words. Called by the command line and the dashboard. */
import type { JournalEntry } from './journal.entry.js';

/** What an entry says besides its time, kind, process and node. */
export function wordsOf(entry: JournalEntry): string {
  const { reason, from, target, epoch, version, release, count, ms, via, actor, error, by, others } = entry;
  const isCommand = entry.kind.startsWith('command.');
  const parts = [
    target === undefined ? undefined : isCommand && entry.process !== undefined ? `to ${target}` : target,
    reason,
    epoch === undefined ? undefined : `epoch ${epoch}`,
    from === undefined ? undefined : `before on ${from}`,
    release === undefined ? undefined : `release ${release}`,
    others === undefined ? undefined : `${entry.kind === 'release.retired' ? 'now' : 'before'} ${others}`,
    version === undefined ? undefined : `Foundation ${version}`,
    count === undefined ? undefined : `${count} ${COUNTED[entry.kind] ?? 'in all'}`,
    ms === undefined ? undefined : `${ms} ms`,
    via === undefined ? undefined : `by ${actor === undefined ? '' : `${actor}, `}${via}`,
    by === undefined || by === entry.node ? undefined : `seen by ${by}`,
    error,
  ];
  return parts.filter((part) => part !== undefined).join(', ');
}

const COUNTED: Readonly<Record<string, string>> = {
  'process.escalated': 'ends',
  'cron.missed': 'times',
  'drain.progress': 'processes',
  'journal.left_out': 'entries',
};
