// What an application can import: one text for each entry of the package, in libs/foundation/api. `npm run api`
// compares them with what is built in dist/libs/foundation, `npm run api -- --write` writes them anew.
// Underneath: API Extractor, whose reports are made shorter here. A name in a public signature that no entry exports
// stands in them as a warning.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative, resolve } from 'node:path';
import { CompilerState, Extractor, ExtractorConfig } from '@microsoft/api-extractor';

const here = import.meta.dirname;
const root = resolve(here, '../..');
const built = join(root, 'dist/libs/foundation');
const reports = join(here, 'api');
const write = process.argv.includes('--write');

const manifest = JSON.parse(readFileSync(join(built, 'package.json'), 'utf8'));
const entries = Object.entries(manifest.exports).filter(([, target]) => typeof target === 'object');
const temp = mkdtempSync(join(tmpdir(), 'foundation-api-'));
process.chdir(root); // the types of Node.js are looked for from here

// The options of the library: rules of the checker would make other types of the same declarations.
const compilerOptions = {
  ...JSON.parse(readFileSync(join(root, 'tsconfig.base.json'), 'utf8')).compilerOptions,
  noEmit: true,
};
const configs = entries.map(([name, target]) => {
  const entry = join(built, target.import.types);
  return ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(built, 'package.json'),
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: entry,
      compiler: { overrideTsconfig: { compilerOptions, files: [entry] } },
      apiReport: {
        enabled: true,
        reportFolder: temp,
        reportTempFolder: join(temp, 'temp'),
        reportFileName: name === '.' ? 'index' : basename(name),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        extractorMessageReporting: {
          default: { logLevel: 'none' },
          'ae-forgotten-export': { logLevel: 'none', addToApiReportFile: true },
        },
        tsdocMessageReporting: { default: { logLevel: 'none' } },
      },
    },
  });
});

const wrong = [];
try {
  mkdirSync(join(temp, 'temp'));
  // One program for all entries.
  const compilerState = CompilerState.create(configs[0], {
    additionalEntryPoints: configs.slice(1).map((config) => config.mainEntryPointFilePath),
  });
  for (const config of configs) {
    const messageCallback = (message) => {
      message.handled = true;
      if (message.logLevel === 'error') wrong.push(message.text);
    };
    Extractor.invoke(config, { localBuild: true, compilerState, messageCallback });
  }
  const files = readdirSync(temp).filter((name) => name.endsWith('.md'));
  if (files.length !== entries.length) wrong.push(`There are ${files.length} reports of ${entries.length} entries.`);
  mkdirSync(reports, { recursive: true });
  for (const name of files) compare(name.replace('.api.md', '.d.ts'), shorter(readFileSync(join(temp, name), 'utf8')));
  const known = new Set(files.map((name) => name.replace('.api.md', '.d.ts')));
  for (const name of readdirSync(reports).filter((each) => !known.has(each))) {
    if (write) rmSync(join(reports, name));
    else wrong.push(`${relative(root, join(reports, name))} is of an entry that the package does not have.`);
  }
} finally {
  rmSync(temp, { recursive: true, force: true });
}
for (const problem of wrong) console.error(problem);
if (wrong.length > 0) {
  console.error('\nThe public API is not what libs/foundation/api says. Where that is meant: npm run api -- --write');
  process.exitCode = 1;
}

/** Only declarations, as a file that an editor knows: without what is said of each of them. */
function shorter(report) {
  const [, code] = /```ts\n(.*)\n```/s.exec(report.replaceAll('\r\n', '\n'));
  const lines = code
    .split('\n')
    .filter((line) => !/^\s*\/\/ (\(undocumented\)|@public)$/.test(line))
    .filter((line) => !line.startsWith('// (No @packageDocumentation'));
  const text = lines
    .join('\n')
    .replace(/\n{2,}/g, '\n\n')
    .trim();
  return `// Written by \`npm run api -- --write\`; the declarations in the sources are what to change.\n\n${text}\n`;
}

function compare(name, text) {
  const file = join(reports, name);
  const before = textOf(file);
  if (before === text) return;
  if (write) return writeFileSync(file, text);
  const [old, now] = [before?.split('\n') ?? [], text.split('\n')];
  const gone = old.filter((line) => !now.includes(line)).map((line) => `- ${line}`);
  const come = now.filter((line) => !old.includes(line)).map((line) => `+ ${line}`);
  wrong.push([`${relative(root, file)}:`, ...gone.slice(0, 30), ...come.slice(0, 30)].join('\n'));
}

function textOf(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
