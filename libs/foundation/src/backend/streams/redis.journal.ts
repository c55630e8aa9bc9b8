/**
 * The journal in Redis: a capped stream, each entry signed where there is a cookie.
 * Made by the backend; underneath EVALSHA with XADD, DEL and XREVRANGE.
 */
import type { Redis } from 'ioredis';
import type { Signer } from '../../security/signer.js';
import { LIVES, type Lives } from '../../wire/key.lifetimes.js';
import type { Keys } from '../../wire/keys.js';
import { appendScript } from './journal.scripts.js';
import type { JournalRow, JournalSpan, JournalStore, JournalWrite } from './journal.store.js';
import { entriesOf } from './stream.entries.js';

/** What several nodes report is known as reported as long as it is among the newest of these. */
export const MAX_JOURNAL_MARKS = 1000;
/** Rows in one call: their texts are short. */
const PAGE = 1000;

/** See {@link JournalStore}. */
export class RedisJournal implements JournalStore {
  constructor(
    private readonly client: Redis,
    private readonly keys: Pick<Keys, 'journal' | 'journalMarks' | 'journalWritten'>,
    private readonly bootId: string,
    private readonly seal: Signer,
    private readonly lives: Pick<Lives, 'journal' | 'journalMarks'> = LIVES,
  ) {}

  async append(entries: readonly JournalWrite[], most: number): Promise<void> {
    const { journal, journalMarks } = this.keys;
    const keys = [journal, journalMarks, this.keys.journalWritten(this.bootId)];
    const settings = [most, this.lives.journal, this.lives.journalMarks, MAX_JOURNAL_MARKS];
    const args = entries.flatMap(({ number, mark, text }) => [number, mark, this.seal.sign(journal, text)]);
    await appendScript.run(this.client, keys, [...settings, ...args]);
  }

  async forget(): Promise<void> {
    await this.client.del(this.keys.journalWritten(this.bootId));
  }

  async read({ before, after, from, count }: JournalSpan): Promise<JournalRow[]> {
    const newest = before === undefined ? '+' : `(${before}`;
    const oldest =
      after === undefined ? (from === undefined ? '-' : String(Math.max(0, Math.ceil(from)))) : `(${after}`;
    const size = Math.min(count, PAGE);
    const reply = await this.client.xrevrange(this.keys.journal, newest, oldest, 'COUNT', size);
    // What was not signed with the cookie of this node is no entry, and holds its place all the same.
    return entriesOf(reply, 0).map(({ id, text }) => ({ id, text: this.seal.open(this.keys.journal, text) ?? '' }));
  }
}
