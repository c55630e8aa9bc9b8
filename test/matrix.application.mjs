// What test/matrix.mjs does with one application: made, extended by the schematics, linted, started.
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { eventually } from 'nestjs-foundation/testing';
import { programIn } from './packed.mjs';

const LIMIT_MS = 30_000;
const GENERATED = [
  ['singleton', 'price-feed'],
  ['replicated', 'thumbnails'],
  ['partitioned', 'accounts'],
  ['channel', 'orders'],
  ['service', 'payments'],
  ['health', 'database'],
  ['cron', 'nightly'],
];

export function newApplication({ run }, folder, name, nest) {
  run('npx', ['-y', `@nestjs/cli@${nest}`, 'new', name, '--package-manager', 'npm', '--skip-git'], folder);
}

/** As a user types it; done once more, it changes nothing. Returns how long it took, in milliseconds. */
export function addFoundation({ folder, run }, registry) {
  const began = performance.now();
  run('npx', ['nest', 'add', 'nestjs-foundation', '--health', '--prometheus'], folder, {
    npm_config_registry: registry,
  });
  const took = performance.now() - began;
  const before = textsOf(folder);
  run('npx', ['nest', 'add', 'nestjs-foundation', '--skip-install', '--health', '--prometheus'], folder);
  const changed = Object.entries(textsOf(folder)).filter(([file, text]) => before[file] !== text);
  if (changed.length > 0) throw new Error(`nest add changed ${changed.map(([file]) => file).join()} a second time`);
  return took;
}

/** Every generator, and what the lint of the template says of the result: nothing but what it says of the template. */
export function generateAll({ folder, run }) {
  const told = warningsOf(folder, run);
  for (const [kind, name] of GENERATED) run('npx', ['nest', 'g', '-c', 'nestjs-foundation', kind, name], folder);
  run('npx', ['nest', 'g', '-c', 'nestjs-foundation', 'deploy'], folder);
  const files = Object.keys(textsOf(folder));
  for (const [kind, name] of GENERATED) {
    for (const file of [`src/${name}/${name}.${kind}.ts`, `src/${name}/${name}.${kind}.spec.ts`]) {
      if (!files.includes(file)) throw new Error(`nest g made no ${file}`);
    }
  }
  const before = textsOf(folder);
  const now = warningsOf(folder, run);
  if (now !== told)
    throw new Error(`Lint found ${told} lines in the application as it was, and ${now} with what was generated`);
  const changed = Object.entries(textsOf(folder)).filter(([file, text]) => before[file] !== text);
  if (changed.length > 0) throw new Error(`Lint changed ${changed.map(([file]) => file).join()}`);
  run('npx', ['prettier', '--check', 'src'], folder);
}

/** Fails where lint does. */
function warningsOf(folder, run) {
  return run('npm', ['run', '-s', 'lint'], folder).match(/\bwarning\b(?!s)/g)?.length ?? 0;
}

/** Puts the files of test/matrix into it, one of them as a controller of the application. */
export function copySpecs({ folder }, from) {
  const isModule = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).type === 'module';
  const adapted = (text) => (isModule ? text : text.replace(/'(\.\/[^']+)\.js'/g, "'$1'"));
  for (const file of readdirSync(from))
    writeFileSync(join(folder, 'src', file), adapted(readFileSync(join(from, file), 'utf8')));
  const module = join(folder, 'src/app.module.ts');
  const text = readFileSync(module, 'utf8');
  const line = adapted("import { CalledController } from './called.controller.js';\n");
  writeFileSync(
    module,
    line + text.replace('controllers: [AppController]', 'controllers: [AppController, CalledController]'),
  );
}

/** The application itself, as one node: it answers, it is well, it can call what was generated, SIGTERM ends it. */
export async function served({ folder }, execPath, redis) {
  const port = await freePort();
  const env = {
    ...process.env,
    PORT: String(port),
    FOUNDATION_REDIS_URL: redis,
    FOUNDATION_APP_NAME: `served-${port}`,
  };
  const child = spawn(execPath, [mainOf(folder)], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const ended = new Promise((done) => child.once('exit', (code, signal) => done(signal ?? code)));
  const get = async (path) => (await globalThis.fetch(`http://127.0.0.1:${port}${path}`)).json();
  try {
    let seen;
    const look = async () => {
      if (child.exitCode !== null) throw new Error(`It ended: ${output.slice(-2000)}`);
      seen = await get('/called').catch((error) => String(error));
      return (
        seen.singleton !== undefined && seen.partition !== undefined && seen.replicas === 1 && /running/.test(seen.job)
      );
    };
    await eventually(look, { timeout: LIMIT_MS, what: 'an answer of /called', lastSeen: () => ({ seen, output }) });
    const { node, ...called } = seen;
    const right = { singleton: node, service: 'Hello you', job: 'nightly running' };
    for (const [key, value] of Object.entries(right)) {
      if (called[key] !== value) throw new Error(`/called says ${JSON.stringify(seen)}: ${key} should be ${value}`);
    }
    const { status, services } = await get('/health/cluster');
    const names = services.map(({ service }) => service).sort();
    if (status !== 'healthy' || names.join() !== 'database,payments') throw new Error(`Health: ${status}, ${names}`);
    diagnosed(folder, execPath, env);
    child.kill('SIGTERM');
    const end = await ended;
    if (!/left the cluster|leaving|Left/i.test(output)) throw new Error(`SIGTERM ended it (${end}) without a leave`);
  } finally {
    child.kill('SIGKILL');
  }
}

/** The command line, with the client of Redis that the application has: it finds the node, and nothing wrong. */
function diagnosed(folder, execPath, env) {
  const program = programIn(folder);
  for (const [command, right] of Object.entries({ status: /: healthy, 1 node,/, doctor: /^0 failed, /m })) {
    const said = execFileSync(execPath, [program, command], { cwd: folder, env, encoding: 'utf8' });
    if (!right.test(said)) throw new Error(`foundation ${command} says ${said}`);
  }
}

/** The specs of an application with ES modules, in Jest. */
export function jestConfiguration({ folder, run }, env) {
  const configuration = {
    rootDir: 'src',
    testRegex: '.*\\.spec\\.ts$',
    extensionsToTreatAsEsm: ['.ts'],
    moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
    transform: { '^.+\\.ts$': ['ts-jest', { useESM: true, diagnostics: false }] },
  };
  writeFileSync(join(folder, 'jest.config.json'), JSON.stringify(configuration));
  const options = { ...env, NODE_OPTIONS: '--experimental-vm-modules' };
  run('npx', ['jest', '--config', 'jest.config.json', '--rootDir', 'src', '--testTimeout', '30000'], folder, options);
}

function mainOf(folder) {
  const found = readdirSync(join(folder, 'dist'), { recursive: true }).filter((file) => /(^|\/)main\.m?js$/.test(file));
  if (found.length !== 1) throw new Error(`dist has ${found.length} main files: ${found.join()}`);
  return join(folder, 'dist', found[0]);
}

/** What the application is written in, and what it installs. */
function textsOf(folder) {
  const sources = readdirSync(join(folder, 'src'), { recursive: true }).filter((file) => file.endsWith('.ts'));
  const files = ['package.json', ...sources.map((file) => `src/${file}`)];
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(folder, file), 'utf8')]));
}

function freePort() {
  return new Promise((done, fail) => {
    const server = createServer().once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}
