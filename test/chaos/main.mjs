// The fault matrix: npm run chaos -- --rows 3,7 --seed 123
// `--quick` takes the rows of `npm run verify`, `--soak 30m` draws rows at random for so long, `--times 5` runs each so
// often, `--own` leaves out the specs that rows name, `--report` writes docs/guarantees/faults.md out of all results in
// `--out` (`--page`: without running anything). Exit code 1 when something did not hold; the histories are kept then.
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { checksOf } from './fault.checks.mjs';
import { keep, page, resultsIn } from './fault.page.mjs';
import { FAULT_ROWS } from './fault.rows.mjs';
import { FaultRun } from './fault.run.mjs';
import { mulberry32 } from './history.plan.mjs';

const UNITS = { s: 1000, m: 60_000, h: 3_600_000 };
const { values } = parseArgs({
  options: {
    rows: { type: 'string' },
    quick: { type: 'boolean', default: false },
    soak: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    times: { type: 'string', default: '1' },
    report: { type: 'boolean', default: false },
    page: { type: 'boolean', default: false },
    own: { type: 'boolean', default: false },
    out: { type: 'string', default: join(tmpdir(), 'foundation-chaos', 'results.ndjson') },
  },
});
const seed = Number(values.seed);
const rows = rowsOf(values);
mkdirSync(dirname(values.out), { recursive: true });

const run = new FaultRun(seed, (result) => keep(values.out, result));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => void run.interrupt().then(() => process.exit(130)));
}
let held = true;
if (!values.page) {
  const again = process.argv.slice(2).filter((word, index, all) => word !== '--seed' && all[index - 1] !== '--seed');
  console.log(`Seed ${seed}: npm run chaos -- ${[...again, '--seed', seed].join(' ')}`);
  held = values.soak === undefined ? await run.all(inOrder()) : await run.soak(drawn(), lengthOf(values.soak));
}
if (values.report || values.page) {
  await page(FAULT_ROWS, resultsIn(values.out));
  console.log('Written: docs/guarantees/faults.md');
}
process.exit(held ? 0 : 1);

function* inOrder() {
  for (let time = 0; time < Number(values.times); time++) {
    for (const row of rows) yield* checksOf(row, { specs: !values.own, quick: values.quick });
  }
}

/** For ever, at random: the same seed gives the same order. */
function* drawn() {
  const random = mulberry32(seed);
  const checks = rows.flatMap((row) => checksOf(row, { specs: false })).filter(({ soak }) => soak);
  for (;;) yield checks[Math.floor(random() * checks.length)];
}

function rowsOf({ rows: wanted, quick }) {
  if (wanted === undefined) return quick ? FAULT_ROWS.filter((row) => row.quick) : FAULT_ROWS;
  return wanted.split(',').map((number) => {
    const row = FAULT_ROWS.find((each) => String(each.row) === number.trim());
    if (row === undefined) throw new Error(`There is no row ${number}: 1 to ${FAULT_ROWS.length}`);
    return row;
  });
}

function lengthOf(text) {
  const [, number, unit] = /^(\d+)([smh])$/.exec(text) ?? [];
  if (number === undefined) throw new Error(`--soak ${text}: such as 90s, 30m, 2h`);
  return Number(number) * UNITS[unit];
}
