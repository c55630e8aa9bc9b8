// How large the package is, as npm would pack it, against a budget: `npm run package:size`, a part of `npm run check`.
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';

/**
 * What is above needs a reason, and a line in the change that raises it. By 2 % with the pages of faults, service
 * levels, growth and of other libraries, which were measured for the first time. By 1 % with the entries socket.io,
 * locks, outbox and cache. By 5 % with the figures of methods and handlers: half of it is uPlot, which draws them
 * (51 KB). By 1 % with what waits until durable messages are safe. Down by 4 % when both formats shared the files of
 * the page. By 0.5 % with the invariants of services, durable channels, the configuration and acknowledgements in the
 * checker of histories. By 0.3 % with those of links and of a Redis that comes back with older data. By
 * 0.2 % unpacked with the clock in health, and with histories that may hold anything. By 0.1 % and a module in both
 * formats with what a replica of a table knows of a loss. By 0.5 % with the errors of decorators, of options of ioredis
 * and of a node that has left. By 0.2 % with the names of the options of each call, and with what a change of the
 * configuration waits for after a loss of data. By 1 % and three modules in both formats with what is refused at the
 * entrances, Observables, the tasks of a process, what a stop waits for, and turns of durable messages.
 */
const BUDGET = { size: 1_134_000, unpackedSize: 6_474_000, entryCount: 1828 };

const folder = resolve(import.meta.dirname, '../../dist/libs/foundation');
const options = {
  cwd: folder,
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
  shell: process.platform === 'win32',
};
const said = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], options));
// A list, or by name since npm 12.
const [packed] = Array.isArray(said) ? said : Object.values(said);

const rows = Object.entries(BUDGET).map(([what, most]) => ({ what, is: packed[what], most }));
console.table(rows);
const over = rows.filter(({ is, most }) => !(is <= most));
for (const { what, is, most } of over) console.error(`The package has ${what} ${is}, and may have ${most}.`);
process.exitCode = over.length > 0 ? 1 : 0;
