// What can be said of a fence without a compiler: JSON and YAML are read, shell is parsed and what it calls is looked
// for, a listing is found in its file.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { placeOf, ROOT } from './pages.mjs';

/** What the words after the language may be; a path is one, too. */
const WORDS = ['run', 'shown', 'output'];
/** Nothing is claimed in these: logs, tables, pictures. */
const FREE = ['', 'text', 'txt', 'log', 'console', 'mermaid'];
const COMPILED = ['ts', 'js'];

/** One sentence for each fence that is wrong. */
export function problemsOf(fences, root = ROOT) {
  const known = { scripts: scriptsOf(root), commands: commandsOf(root), generators: generatorsOf(root), root };
  return fences.flatMap((fence) => {
    try {
      return check(fence, known).map((problem) => `${placeOf(fence)}: ${problem}`);
    } catch (error) {
      return [`${placeOf(fence)}: ${error.message}`];
    }
  });
}

/** The file that a fence is a piece of, when it says one. */
export const listed = ({ words }) => words.find((word) => word.includes('/'));

export const isShown = ({ words }) => words.includes('shown');

function check(fence, known) {
  const { language, words, text } = fence;
  const unknown = words.filter((word) => !WORDS.includes(word) && !word.includes('/'));
  if (unknown.length > 0) return [`no fence can say "${unknown.join(' ')}"; there are ${WORDS.join(', ')}, or a path`];
  const file = listed(fence);
  if (file !== undefined) return listing(text, file, known.root);
  if (isShown(fence) || COMPILED.includes(language)) return [];
  if (language === 'json') return (JSON.parse(text), []);
  if (language === 'yaml') return parseAllDocuments(text).flatMap(({ errors }) => errors.map((error) => error.message));
  if (language === 'sh') return [...syntax(text), ...calls(commandsIn(text), known)];
  if (FREE.includes(language)) return calls(typed(text), known);
  return [`nobody checks "${language}" here: say "${language} shown", or teach test/snippets to check it`];
}

/** Of a session: the lines that somebody typed. */
const typed = (text) => text.split('\n').flatMap((line) => (/^\$ /.test(line) ? commandsIn(line.slice(2)) : []));

function syntax(text) {
  const { status, stderr } = spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' });
  return status === 0 ? [] : [stderr.trim()];
}

/** Commands as lists of words; comments, quotes and variables before the program are gone. */
function commandsIn(text) {
  return text
    .replaceAll(/\\\n/g, ' ')
    .replaceAll(/(^|\s)#.*$/gm, '')
    .split(/\n|&&|\|\||[;|]|\bdo\b/)
    .map((command) => command.trim().split(/\s+/))
    .map((words) => words.slice(words.findIndex((word) => !/^\w+=|^(sudo|time|\$)$/.test(word))))
    .filter(([program]) => program !== undefined && program !== '');
}

function calls(commands, { scripts, commands: verbs, generators, root }) {
  return commands.flatMap(([program, ...words]) => {
    const [first, ...rest] = words.filter((word) => !word.startsWith('-'));
    const line = [program, ...words].join(' ');
    const options = words.filter((word) => word.startsWith('--') && word.length > 2).map((word) => word.split('=')[0]);
    const missing = (what, name, all) =>
      name === undefined || all.includes(name) ? [] : [`"${line}": there is no ${what} "${name}"`];
    if (program === 'npm' && first === 'run') return missing('script', rest[0], scripts);
    if (program === 'npm' && ['test', 'start'].includes(first)) return missing('script', first, scripts);
    if (program === 'npx' && ['foundation', 'nestjs-foundation'].includes(first)) {
      return [
        ...(words.includes('--help') ? [] : missing('command', rest[0], verbs.names)),
        ...options.flatMap((option) => missing('option', option, verbs.options)),
      ];
    }
    if (program === 'nest' && first === 'add' && rest[0] === 'nestjs-foundation') {
      return options.flatMap((option) => missing('option', option, generators['nest-add']));
    }
    if (program === 'nest' && words.includes('nestjs-foundation')) {
      const [, generator] = words.slice(words.indexOf('-c') + 1);
      return missing('generator', generator, Object.keys(generators));
    }
    if (program === 'docker' && first === 'compose' && words.includes('-f')) {
      const file = words[words.indexOf('-f') + 1];
      return existsSync(join(root, file)) ? [] : [`"${line}": there is no file "${file}"`];
    }
    if (program === 'kubectl' && words.includes('-k')) {
      const folder = words[words.indexOf('-k') + 1];
      return existsSync(join(root, folder)) ? [] : [`"${line}": there is no folder "${folder}"`];
    }
    if (program === 'node' && first !== undefined && /^(test|sample-app|examples)\//.test(first)) {
      return existsSync(join(root, first)) ? [] : [`"${line}": there is no file "${first}"`];
    }
    return [];
  });
}

/** What every application of `nest new` has, besides the scripts of this repository. */
const OF_NEST = ['build', 'start', 'start:dev', 'start:debug', 'start:prod', 'test', 'test:e2e', 'test:watch', 'lint'];

function scriptsOf(root) {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return [...OF_NEST, ...Object.keys(scripts)];
}

function commandsOf(root) {
  const source = readFileSync(join(root, 'libs/foundation/src/cli/arguments.ts'), 'utf8');
  const keysOf = (name) =>
    [...source.match(new RegExp(`const ${name} = \\{\\n([^]*?)\\n\\}`))[1].matchAll(/^ {2}'?([\w-]+)'?: \{/gm)].map(
      ([, key]) => key,
    );
  return { names: [...keysOf('COMMANDS'), 'help'], options: keysOf('OPTIONS').map((name) => `--${name}`) };
}

function generatorsOf(root) {
  const read = (path) => JSON.parse(readFileSync(join(root, 'schematics', path), 'utf8'));
  return Object.fromEntries(
    Object.entries(read('collection.json').schematics).map(([name, { schema }]) => [
      name,
      Object.keys(read(schema).properties).map(
        (each) => `--${each.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
      ),
    ]),
  );
}

/** Line by line what the file says somewhere, whatever its indentation; `// …` stands for any lines. */
function listing(text, file, root) {
  if (!existsSync(join(root, file))) return [`there is no file "${file}"`];
  const source = readFileSync(join(root, file), 'utf8').split('\n');
  const pieces = trimmed(text.split('\n')).reduce(
    (all, line) => (/^\s*(\/\/|#) …$/.test(line) ? [...all, []] : [...all.slice(0, -1), [...all.at(-1), line]]),
    [[]],
  );
  let from = 0;
  for (const piece of pieces.map(trimmed).filter(({ length }) => length > 0)) {
    const at = source.findIndex((_, index) => index >= from && isAt(source, index, piece));
    if (at < 0) return [`${file} does not say (any longer, in this order): ${nearest(source, piece)}`];
    from = at + piece.length;
  }
  return [];
}

function trimmed(lines) {
  const from = lines.findIndex((line) => line.trim() !== '');
  return from < 0 ? [] : lines.slice(from, lines.findLastIndex((line) => line.trim() !== '') + 1);
}

function isAt(source, index, piece) {
  const indent = (/^\s*/.exec(source[index]) ?? [''])[0].length - (/^\s*/.exec(piece[0]) ?? [''])[0].length;
  return (
    indent >= 0 &&
    piece.every((line, offset) => (line === '' ? '' : ' '.repeat(indent) + line) === source[index + offset]?.trimEnd())
  );
}

/** The first line of a piece that is nowhere in the file, else its first one. */
function nearest(source, piece) {
  const has = new Set(source.map((line) => line.trim()));
  return (piece.find((line) => !has.has(line.trim())) ?? piece[0]).trim();
}
