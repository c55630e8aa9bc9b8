// docs/guarantees/faults.md out of the results of runs: each row, what carries it out, how often it held, when last.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';

const PAGE = join(import.meta.dirname, '../../docs/guarantees/faults.md');

/** One line for each result, in a file that all runs of this machine share. */
export function keep(file, result) {
  appendFileSync(file, `${JSON.stringify(result)}\n`);
}

export function resultsIn(file) {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

export async function page(rows, results) {
  const text = `# Faults

<!-- Written by \`npm run chaos -- --report\`; run that again, and change nothing here. -->

Everything that can fail, done to real processes beside a real Redis: signals, a Redis that is killed, emptied, stopped, full or read-only, a proxy
that cuts and delays, pulled cables between network namespaces, clocks that are set. After each, the histories of all nodes are held to the
[invariants](../reference/invariants.md). \`npm run chaos\` runs all rows, \`npm run chaos -- --rows 3,7\` some, \`--seed N\` with the same chance
again, and \`npm run chaos -- --soak 30m\` draws rows at random for so long. What needs root or something that the machine does not have is said to
be skipped, and counts as nothing.

${rows.length} rows; ${summary(rows, results)} Figures are those of the last run, on ${cpus().length} cores with Node ${process.version} that did other work as well; in
parentheses is what was hoped for.

${table(rows, results)}

## What was measured last

${figures(rows, results)}
`;
  const options = await resolveConfig(PAGE);
  writeFileSync(PAGE, await format(text, { ...options, filepath: PAGE }));
}

const of = (results, row) => results.filter((result) => result.row === row);
const ran = (results) => results.filter(({ outcome }) => outcome !== 'skipped');
const namesOf = ({ checks, specs }) => [
  ...checks.map(({ run }) => run),
  ...specs.map(({ file, tests }) => `${file} ${tests}`.trim()),
];
const lastOf = (results, name) => results.findLast((result) => result.name === name);

function summary(rows, results) {
  const last = (row) => namesOf(row).map((name) => lastOf(of(results, row.row), name)?.outcome);
  const numbers = (is) => rows.filter((row) => last(row).some(is)).map(({ row }) => row);
  const [failed, open] = [numbers((outcome) => outcome === 'failed'), numbers((outcome) => outcome === undefined)];
  const words =
    failed.length === 0 ? 'what was run held when it ran last' : `${failed.join(', ')} failed when run last`;
  return `${words}${open.length === 0 ? '' : `; not all of ${open.join(', ')} was run`}.`;
}

function table(rows, results) {
  const lines = rows.map((row) => {
    const own = of(results, row.row);
    const times = ran(own).length;
    const held = own.filter(({ outcome }) => outcome === 'held').length;
    const often = times === 0 ? 'not yet' : `${held} of ${times}`;
    return `| ${row.row} | ${row.fault} | ${row.holds} | \`npm run chaos -- --rows ${row.row}\` | ${lastResult(row, own)} | ${often} |`;
  });
  return [
    '| row | what is done | what must hold | command | last result | held |',
    '| --: | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}

function lastResult(row, own) {
  const last = namesOf(row).map((name) => lastOf(own, name));
  const done = last.filter((each) => each !== undefined);
  if (done.length === 0) return 'not run yet';
  const count = (outcome) => done.filter((each) => each.outcome === outcome).length;
  const parts = [`${count('held')} of ${last.length} checks held`];
  if (count('failed') > 0) parts.push(`${count('failed')} failed`);
  if (count('skipped') > 0) parts.push(`${count('skipped')} skipped`);
  return `${parts.join(', ')}; ${done
    .map(({ at }) => at)
    .sort()
    .at(-1)
    .slice(0, 10)}`;
}

function figures(rows, results) {
  const lines = rows.flatMap((row) =>
    namesOf(row).flatMap((name) => {
      const own = results.filter((result) => result.row === row.row && result.name === name);
      const last = own.at(-1);
      if (last === undefined) return [];
      const held = own.filter(({ outcome }) => outcome === 'held').length;
      const said = last.outcome === 'held' ? last.figures.join('; ') : `${last.outcome}: ${last.why}`;
      return [`| ${row.row} | \`${name}\` | ${said.replaceAll('|', '\\|')} | ${held} of ${ran(own).length} |`];
    }),
  );
  return ['| row | check | last | held |', '| --: | --- | --- | --- |', ...lines].join('\n');
}
