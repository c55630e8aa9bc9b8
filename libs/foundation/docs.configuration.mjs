// Writes docs/configuration.md from src/config/options.ts and environment.table.ts; with --check only says whether it
// is up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { format, resolveConfig } from 'prettier';
import ts from 'typescript';

const root = resolve(import.meta.dirname, '../..');
const config = join(import.meta.dirname, 'src/config');
const target = join(root, 'docs/configuration.md');
const read = (name) =>
  ts.createSourceFile(name, readFileSync(join(config, name), 'utf8'), ts.ScriptTarget.Latest, true);

const options = read('options.ts');
const interfaces = new Map(options.statements.filter(ts.isInterfaceDeclaration).map((each) => [each.name.text, each]));
const kinds = read('environment.table.ts')
  .statements.filter(ts.isVariableStatement)
  .flatMap(({ declarationList }) => declarationList.declarations)
  .find(({ name }) => name.text === 'VARIABLE_KINDS');
const inTable = new Set(kinds.initializer.properties.map(({ name }) => name.text));

const cell = (text) => text.replace(/\s+/g, ' ').trim().replaceAll('|', '\\|');
const row = (...cells) => `| ${cells.join(' | ')} |`;
/** As `variableOf` of environment.table.ts makes it. */
const variableOf = (option) =>
  `FOUNDATION_${option
    .replaceAll('.', '_')
    .replace(/[A-Z]/g, (letter) => `_${letter}`)
    .toUpperCase()}`;

const rows = [];
const found = new Set();
function walk(name, path) {
  for (const member of interfaces.get(name).members.filter(ts.isPropertySignature)) {
    const option = `${path}${member.name.text}`;
    const type = member.type.getText(options);
    // Not into a client that is handed over ready-made.
    if (interfaces.has(type) && !/Client$|Queue$/.test(type)) {
      walk(type, `${option}.`);
      continue;
    }
    const said = ts.getTextOfJSDocComment(member.jsDoc?.at(-1)?.comment) ?? '';
    if (inTable.has(option)) found.add(option);
    const others = [...said.matchAll(/`((?:FOUNDATION|REDIS)_[A-Z_0-9]+)`/g)].map(([, variable]) => variable);
    const variables = inTable.has(option) ? [variableOf(option)] : [...new Set(others)];
    rows.push(
      row(`\`${option}\``, `\`${cell(type)}\``, variables.map((each) => `\`${each}\``).join('<br>'), cell(said)),
    );
  }
}
walk('FoundationOptions', '');
const missing = [...inTable].filter((option) => !found.has(option));
if (missing.length > 0) throw new Error(`environment.table.ts has what options.ts has not: ${missing.join(', ')}`);

const text = `# Configuration

<!-- Written by \`npm run docs:configuration\` from libs/foundation/src/config/options.ts and environment.table.ts. -->

The options of \`FoundationModule.forRoot\`. An option that is given wins over its variable, and a variable over the default; an
empty variable counts as unset. A time (\`Duration\`) is a number of milliseconds or has a unit: \`500ms\`, \`1.5s\`, \`5m\`, \`1h\`.
The settings of the topology strategies are in \`libs/foundation/src/config/strategy.settings.ts\`.

${[row('option', 'type', 'environment', 'what it does'), row(...Array(4).fill('---')), ...rows].join('\n')}
`;

const formatted = await format(text, { ...(await resolveConfig(target)), parser: 'markdown' });
if (!process.argv.includes('--check')) {
  writeFileSync(target, formatted);
} else if (readFileSync(target, 'utf8') !== formatted) {
  console.error(`${relative(root, target)} is not what the sources say. Run: npm run docs:configuration`);
  process.exitCode = 1;
}
