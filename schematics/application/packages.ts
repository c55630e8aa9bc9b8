/**
 * What the application has to install for Foundation, in versions that go with its Nest and with what it has.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SchematicContext, TaskConfigurationGenerator, Tree } from '@angular-devkit/schematics';
import { Refusal } from '../refusal';
import type { Manifest } from './application';
import { change, textOf } from './files';

const PACKAGE = 'nestjs-foundation';
/** The clients of Redis that go together: those that came with each major version of Nest. */
const GENERATIONS: Record<number, Record<string, string>> = {
  11: { bullmq: '^5.23.0', ioredis: '^5.4.0' },
  12: { bullmq: '^6.7.0', ioredis: '^6.0.0' },
};
const EMBEDDED = { name: 'js-redis-server', range: '^0.3.0' };
const VALIDATOR = { 'class-validator': '^0.15.1' };
const LOCKS = { 'pnpm-lock.yaml': 'pnpm', 'yarn.lock': 'yarn', 'bun.lock': 'bun', 'bun.lockb': 'bun' };

/** The major version of Nest. */
export function nestOf(tree: Tree, manifest: Manifest): number {
  const range = rangeIn(manifest, '@nestjs/core');
  if (range === undefined) {
    throw new Refusal(
      'package.json has no @nestjs/core, so this is no Nest application',
      'run this in the folder of one, made by `nest new`',
    );
  }
  const major = majorOf(range) ?? majorOf(installed(tree, '@nestjs/core') ?? '');
  if (major !== undefined && GENERATIONS[major] !== undefined) return major;
  throw new Refusal(
    `Foundation is for Nest ${Object.keys(GENERATIONS).join(' and ')}, and package.json asks for @nestjs/core ${range}`,
    'bring the application to one of them first',
  );
}

/** What is not in package.json yet, with the ranges to write there. */
export function missingPackages(tree: Tree, manifest: Manifest, more: Record<string, string>): Record<string, string> {
  const nest = nestOf(tree, manifest);
  // A client that is there already decides about the other one.
  const chosen = [rangeIn(manifest, 'bullmq'), rangeIn(manifest, 'ioredis')].map((range) => majorOf(range ?? ''));
  const generation = chosen.includes(5) ? GENERATIONS[11]! : chosen.includes(6) ? GENERATIONS[12]! : GENERATIONS[nest]!;
  const wanted = { ...ownRange(), ...generation, ...VALIDATOR, ...more };
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => rangeIn(manifest, name) === undefined));
}

/** Writes them to `dependencies`, sorted as npm sorts them. */
export async function addPackages(tree: Tree, packages: Record<string, string>): Promise<void> {
  if (Object.keys(packages).length === 0) return;
  await changeManifest(tree, (manifest) => {
    manifest.dependencies = sorted({ ...manifest.dependencies, ...packages });
  });
}

/** The embedded Redis of development, where it is not there; returns whether it was added. */
export async function addEmbeddedRedis(tree: Tree, manifest: Manifest): Promise<boolean> {
  if (rangeIn(manifest, EMBEDDED.name) !== undefined) return false;
  await changeManifest(tree, (changed) => {
    changed.devDependencies = sorted({ ...changed.devDependencies, [EMBEDDED.name]: EMBEDDED.range });
    // Its range for the optional peer ioredis ends at 5.
    if (majorOf(rangeIn(changed, 'ioredis') ?? '') !== 5) {
      changed.overrides = { ...changed.overrides, [EMBEDDED.name]: { ioredis: '$ioredis' } };
    }
  });
  return true;
}

async function changeManifest(tree: Tree, edit: (manifest: Manifest) => void): Promise<void> {
  const before = textOf(tree, 'package.json')!;
  const manifest = JSON.parse(before) as Manifest;
  edit(manifest);
  const indent = /^[ \t]+/m.exec(before)?.[0] ?? '  ';
  const end = /\r?\n$/.exec(before)?.[0] ?? '';
  await change(tree, 'package.json', JSON.stringify(manifest, undefined, indent) + end);
}

function sorted(packages: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Underneath: the devkit's task `node-package`; the CLI finds npm, yarn and pnpm itself, and not bun. */
export function install(tree: Tree, context: SchematicContext): void {
  const lock = Object.entries(LOCKS).find(([file]) => tree.exists(file));
  const options = { command: 'install', quiet: true, hideOutput: true, ...(lock && { packageManager: lock[1] }) };
  const task: TaskConfigurationGenerator<object> = { toConfiguration: () => ({ name: 'node-package', options }) };
  context.addTask(task);
}

export function rangeIn(manifest: Manifest, name: string): string | undefined {
  const { dependencies, devDependencies, peerDependencies, optionalDependencies } = manifest;
  const lists = [dependencies, optionalDependencies, peerDependencies, devDependencies];
  return lists.map((list) => list?.[name]).find((range) => range !== undefined);
}

/** Of `^11.0.1` 11; of `latest`, `*` and paths nothing. */
export function majorOf(range: string): number | undefined {
  const [, major] = /^(?:npm:@?[^@]+@|workspace:)?[\^~>=v ]*(\d+)(?:\.|$|\s|-)/.exec(range) ?? [];
  return major === undefined ? undefined : Number(major);
}

function installed(tree: Tree, name: string): string | undefined {
  const text = textOf(tree, `node_modules/${name}/package.json`);
  return text === undefined ? undefined : (JSON.parse(text) as { version?: string }).version;
}

/** The version that these schematics came with. */
function ownRange(): Record<string, string> {
  for (const folder of ['../..', '../../libs/foundation']) {
    try {
      const text = readFileSync(join(__dirname, folder, 'package.json'), 'utf8');
      const { name, version } = JSON.parse(text) as { name: string; version: string };
      if (name === PACKAGE) return { [PACKAGE]: `^${version}` };
    } catch {
      // In the repository the package is in another folder.
    }
  }
  return {};
}
