// Writes docs/reference/cli.md from src/cli/arguments.ts; with --check only says whether it is up to date.
import { code, keep, table, valuesOf } from './docs.pages.mjs';

const source = 'cli/arguments.ts';
const { COMMANDS, usage } = await valuesOf(source);

const rows = Object.entries(COMMANDS).map(([name, { takes, or, says }]) => [
  [takes, ...(or === undefined ? [] : [or])]
    .map((words) => code(['foundation', name, ...words].join(' ')))
    .join('<br>'),
  says,
]);

await keep(
  'docs/reference/cli.md',
  'docs:cli',
  `# Command line

<!-- Written by \`npm run docs:cli\` from libs/foundation/src/${source}; change that file, not this one. -->

The program \`foundation\` of the package, called by \`npx foundation\` where the package is installed. [The command line](../guides/command-line.md)
shows what it prints.

${table(['command', 'what it does'], rows)}

## What \`foundation --help\` prints

\`\`\`text
${usage().join('\n')}
\`\`\`

Node.js (20, 22 and 24) takes \`--env-file\` for an option of its own wherever it stands: where the file is missing it ends with the exit code 9
and \`node: FILE: not found\`, before the program begins, also under \`npx foundation\`.
`,
);
