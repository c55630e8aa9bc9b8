// Writes docs/reference/configuration.md from options.ts, strategy.settings.ts and environment.table.ts of
// src/config; with --check only says whether it is up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { format, resolveConfig } from 'prettier';
import ts from 'typescript';
import { valuesOf } from './docs.pages.mjs';

const root = resolve(import.meta.dirname, '../..');
const config = join(import.meta.dirname, 'src/config');
const target = join(root, 'docs/reference/configuration.md');
const read = (name) =>
  ts.createSourceFile(name, readFileSync(join(config, name), 'utf8'), ts.ScriptTarget.Latest, true);

const sources = ['options.ts', 'strategy.settings.ts'].map(read);
const interfaces = new Map(
  sources
    .flatMap(({ statements }) => statements.filter(ts.isInterfaceDeclaration))
    .map((each) => [each.name.text, each]),
);
const table = read('environment.table.ts')
  .statements.filter(ts.isVariableStatement)
  .flatMap(({ declarationList }) => declarationList.declarations);
const entriesOf = (constant) =>
  table
    .find(({ name }) => name.text === constant)
    .initializer.properties.map(({ name, initializer }) => [name.text, initializer]);
const inTable = new Set(entriesOf('VARIABLE_KINDS').map(([option]) => option));
const otherNames = new Map(
  entriesOf('OTHER_NAMES').map(([option, { elements }]) => [option, elements.map(({ text }) => text)]),
);

const cell = (text) => text.replace(/\s+/g, ' ').trim().replaceAll('|', '\\|');
const row = (...cells) => `| ${cells.join(' | ')} |`;
/** As `variableOf` of environment.table.ts makes it. */
const variableOf = (option) =>
  `FOUNDATION_${option
    .replaceAll('.', '_')
    .replace(/[A-Z]/g, (letter) => `_${letter}`)
    .toUpperCase()}`;

const found = new Set();
const variablesOf = (option) => {
  if (!inTable.has(option)) return [];
  found.add(option);
  return [variableOf(option), ...(otherNames.get(option) ?? [])];
};

// What becomes of no options and no variables, so that no default is written down twice.
const { resolve: resolved } = await valuesOf('config/resolve.ts');
const defaults = resolved({ cluster: true, redis: 'redis://' }, {}, { host: '', pid: 0, packageName: '-' });
const OF_THE_MACHINE = new Set(['appName', 'nodeName', 'redis.url', 'transport.kind']);
const DAY = 86_400_000;
const inWords = (ms) => (ms % DAY === 0 ? `${ms / DAY}d` : ms >= 1000 && ms % 100 === 0 ? `${ms / 1000}s` : `${ms}ms`);
const defaultOf = (option, type) => {
  const value = option.split('.').reduce((part, key) => part?.[key], defaults);
  if (OF_THE_MACHINE.has(option) || !['string', 'number', 'boolean'].includes(typeof value)) return '';
  return `\`${type.includes('Duration') && typeof value === 'number' ? inWords(value) : value}\``;
};

/** A row for each option of an interface; the parts of an object that stands beside other forms follow their option. */
function rowsOf(name, path, hasDefaults) {
  return interfaces
    .get(name)
    .members.filter(ts.isPropertySignature)
    .flatMap((member) => {
      const option = `${path}${member.name.text}`;
      const type = member.type.getText();
      // Not into a client that is handed over ready-made.
      if (interfaces.has(type) && !/Client$|Queue$/.test(type)) return rowsOf(type, `${option}.`, hasDefaults);
      const said = ts.getTextOfJSDocComment(member.jsDoc?.at(-1)?.comment) ?? '';
      const variables = variablesOf(option).map((each) => `\`${each}\``);
      const own = [
        `\`${option}\``,
        `\`${cell(type)}\``,
        ...(hasDefaults ? [defaultOf(option, type)] : []),
        variables.join('<br>'),
        cell(said),
      ];
      const parts =
        {
          redis: ['RedisEndpoint'],
          transport: ['RedisTransportOptions', 'DirectOptions'],
          journal: ['JournalOptions'],
        }[option] ?? [];
      return [own, ...parts.flatMap((part) => rowsOf(part, `${option}.`, hasDefaults))];
    });
}

const tableOf = (head, rows) => [head, head.map(() => '---'), ...rows].map((cells) => row(...cells)).join('\n');
const options = tableOf(
  ['option', 'type', 'default', 'environment', 'what it does'],
  rowsOf('FoundationOptions', '', true),
);
const strategies = tableOf(['setting', 'type', 'environment', 'what it does'], rowsOf('StrategySettings', '', false));
const missing = [...inTable].filter((option) => !found.has(option));
if (missing.length > 0) throw new Error(`environment.table.ts has what the options have not: ${missing.join(', ')}`);

const text = `# Configuration

<!-- Written by \`npm run docs:configuration\` from options.ts, strategy.settings.ts and environment.table.ts. -->

The options of \`FoundationModule.forRoot\`. An option that is given wins over its variable, and a variable over the default; an
empty variable counts as unset, and of several names the first that is set counts. A time (\`Duration\`) is a number of
milliseconds or has a unit: \`500ms\`, \`1.5s\`, \`5m\`, \`1h\`.

${options}

## Topology strategies

The settings of \`{ strategy, … }\` in \`cluster\` and \`topologies\`, by the name of the strategy. In the environment, lists have
commas between their values.

${strategies}
`;

const formatted = await format(text, { ...(await resolveConfig(target)), parser: 'markdown' });
if (!process.argv.includes('--check')) {
  writeFileSync(target, formatted);
} else if (readFileSync(target, 'utf8') !== formatted) {
  console.error(`${relative(root, target)} is not what the sources say. Run: npm run docs:configuration`);
  process.exitCode = 1;
}
