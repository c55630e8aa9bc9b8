/**
 * The Nest application that a schematic works on: where its sources are, how it starts, what it is written in.
 */
import { posix } from 'node:path';
import type { Tree } from '@angular-devkit/schematics';
import { Refusal } from '../refusal';
import { compiler } from '../syntax/typescript';
import { textOf } from './files';

/** What `nest add` and `nest g` say of the project. */
export interface ProjectOptions {
  sourceRoot?: string;
  project?: string;
}

export interface Manifest {
  name?: string;
  type?: string;
  scripts?: Record<string, string>;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  overrides?: Record<string, unknown>;
}

export interface Application {
  /** `src`, or `apps/shop/src` in a monorepo. */
  sourceRoot: string;
  /** Where the application starts, without the suffix: `src/main`. */
  entry: string;
  /** Whether imports of files need their suffix: ES modules. */
  isModule: boolean;
  /** The application of a monorepo, which has one package.json for all of them. */
  project?: { name: string; root: string };
  /** The package.json at the top. */
  manifest: Manifest;
}

interface Project {
  type?: string;
  root?: string;
  sourceRoot?: string;
  entryFile?: string;
}

interface NestConfiguration extends Project {
  monorepo?: boolean;
  projects?: Record<string, Project>;
}

const CONFIGURATIONS = ['nest-cli.json', '.nest-cli.json', '.nestcli.json', 'nest.json'];

export function applicationIn(tree: Tree, options: ProjectOptions): Application {
  const manifest = manifestAt(tree, 'package.json');
  if (manifest === undefined) {
    throw new Refusal(
      'There is no package.json in this folder, so no application to work on',
      'run this where package.json and nest-cli.json are',
    );
  }
  const configuration = configurationIn(tree);
  const project = projectOf(configuration, options);
  const sourceRoot = trimmed(given(options.sourceRoot) ?? project.sourceRoot ?? configuration.sourceRoot ?? 'src');
  const entryFile = (project.entryFile ?? configuration.entryFile ?? 'main').replace(/\.[cm]?[jt]s$/, '');
  // `src/main` is said relative to the root of the project.
  const root = trimmed(project.root ?? configuration.root ?? posix.dirname(sourceRoot));
  const entries = [posix.join(sourceRoot, entryFile), posix.join(root, entryFile)];
  const entry = entries.find((each) => tree.exists(`${each}.ts`)) ?? entries[0]!;
  const nearest = manifestAbove(tree, sourceRoot) ?? manifest;
  const [name] = Object.entries(configuration.projects ?? {}).find(([, each]) => each === project) ?? [];
  const own = configuration.monorepo === true && name !== undefined ? { name, root } : undefined;
  return { sourceRoot, entry, isModule: nearest.type === 'module', project: own, manifest };
}

/** Of the words that the Nest CLI gives for what is not said. */
export function given(value: string | undefined): string | undefined {
  return value === undefined || value === '' || value === 'undefined' ? undefined : value;
}

function projectOf(configuration: NestConfiguration, options: ProjectOptions): Project {
  const { projects = {} } = configuration;
  const name = given(options.project);
  const named = name === undefined ? undefined : projects[name];
  if (name !== undefined && named === undefined) {
    const known = Object.keys(projects).join(', ');
    const have = known === '' ? 'it has no projects' : `it has ${known}`;
    throw new Refusal(`nest-cli.json has no project ${name}, ${have}`, 'give one of them with --project, or none');
  }
  const root = given(options.sourceRoot);
  const found =
    named ?? Object.values(projects).find(({ sourceRoot }) => sourceRoot !== undefined && sourceRoot === root);
  return found ?? configuration;
}

function configurationIn(tree: Tree): NestConfiguration {
  const path = CONFIGURATIONS.find((each) => tree.exists(each));
  return path === undefined ? {} : ((jsonOf(tree, path) as NestConfiguration | undefined) ?? {});
}

function manifestAbove(tree: Tree, folder: string): Manifest | undefined {
  for (let each = folder; each !== '.' && each !== '/' && each !== ''; each = posix.dirname(each)) {
    const manifest = manifestAt(tree, posix.join(each, 'package.json'));
    if (manifest !== undefined) return manifest;
  }
  return undefined;
}

function manifestAt(tree: Tree, path: string): Manifest | undefined {
  return tree.exists(path) ? (jsonOf(tree, path) as Manifest) : undefined;
}

/** Underneath: `ts.parseConfigFileTextToJson`, which takes comments and commas at the end. */
function jsonOf(tree: Tree, path: string): unknown {
  const parsed = compiler().parseConfigFileTextToJson(path, textOf(tree, path) ?? '') as {
    config?: unknown;
    error?: unknown;
  };
  if (parsed.error === undefined && typeof parsed.config === 'object') return parsed.config;
  throw new Refusal(`${path} is no JSON that can be read`, 'mend it first');
}

function trimmed(folder: string): string {
  return posix.normalize(folder).replace(/^\/|\/$/g, '');
}
