/** A complete read of a table, page by page. */
import { isMark, type Table, type TablePage, type TableRow } from './table.js';

/** How often a full read begins again because marks were dropped during it, before it counts as failed. */
const MAX_RESTARTS = 5;

/** What a complete read has found. */
export interface FullRead {
  /** The version of each row that the table has. */
  seen: ReadonlyMap<string, number>;
  /** The newest version when it began. */
  anchor: number;
  last: TablePage;
}

/** Every row there is, from scratch; `check` sees the first page of each attempt, and may throw. */
export async function readAll(
  table: Table,
  what: string,
  {
    first,
    check,
    apply,
  }: { first?: TablePage | undefined; check: (page: TablePage) => void; apply: (rows: readonly TableRow[]) => void },
): Promise<FullRead> {
  for (let restart = 0; restart < MAX_RESTARTS; restart++) {
    const page = restart === 0 && first !== undefined ? first : await table.since(0);
    check(page);
    const read = await readPages(table, page, apply);
    if (read !== undefined) return read;
  }
  throw new Error(`The ${what} could not be read completely, because too much was removed from it meanwhile.`);
}

/** Reads from `first` on and applies each page; `undefined` when a mark that is gone by now may have been missed. */
async function readPages(
  table: Table,
  first: TablePage,
  apply: (rows: readonly TableRow[]) => void,
): Promise<FullRead | undefined> {
  const seen = new Map<string, number>();
  const { version: anchor, life } = first;
  let page = first;
  let from = 0;
  for (;;) {
    // What was removed after `anchor` leaves a mark; one that is gone, and that was not read yet, was missed.
    if (page.life !== life || page.floor > Math.max(from, anchor)) return undefined;
    for (const row of page.rows) {
      if (isMark(row)) seen.delete(row.key);
      else seen.set(row.key, row.version);
    }
    apply(page.rows);
    if (!page.more) return { seen, anchor, last: page };
    from = page.rows.at(-1)!.version;
    page = await table.since(from);
  }
}
