// What is in Dockerfile and deploy/, for the specs that hold it to the sources.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type {
  V1Container,
  V1Deployment,
  V1EnvVar,
  V1PodDisruptionBudget,
  V1PodTemplateSpec,
  V1Service,
  V1StatefulSet,
} from '@kubernetes/client-node';
import { parse, parseAllDocuments } from 'yaml';

export const root = join(import.meta.dirname, '../..');

export const textOf = (path: string): string => readFileSync(join(root, path), 'utf8');

export interface Kustomization {
  namespace: string;
  resources: string[];
  images: { name: string; newName: string; newTag: string }[];
}

export const kustomization = (): Kustomization =>
  parse(textOf('deploy/kubernetes/kustomization.yaml')) as Kustomization;

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
}

/** The documents of YAML. */
export function documentsIn<T = Manifest>(text: string): T[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]!;
    return document.toJS() as T;
  });
}

/** All that `kubectl apply -k deploy/kubernetes` applies, as it is written. */
export const manifests = (): Manifest[] =>
  kustomization().resources.flatMap((file) => documentsIn(textOf(`deploy/kubernetes/${file}`)));

interface Kinds {
  Deployment: V1Deployment;
  StatefulSet: V1StatefulSet;
  Service: V1Service;
  PodDisruptionBudget: V1PodDisruptionBudget;
}

export function manifest<K extends keyof Kinds>(kind: K, name: string): Kinds[K] {
  const found = manifests().find((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined) throw new Error(`There is no ${kind} ${name}`);
  return found;
}

export function containerOf(template: V1PodTemplateSpec): V1Container {
  const [container, ...others] = template.spec?.containers ?? [];
  if (container === undefined || others.length > 0) throw new Error('It is not one container');
  return container;
}

/**
 * The environment that the kubelet makes of it: `fields` by path, secrets by key, and `$(NAME)` of what came before.
 */
export function environmentOf(
  env: readonly V1EnvVar[] = [],
  fields: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>>,
): Record<string, string> {
  const made: Record<string, string> = {};
  for (const { name, value, valueFrom } of env) {
    const { fieldRef, secretKeyRef } = valueFrom ?? {};
    const found = value ?? (fieldRef ? fields[fieldRef.fieldPath] : secretKeyRef && secrets[secretKeyRef.key]);
    if (found === undefined) throw new Error(`Nothing says what ${name} is`);
    made[name] = found.replace(/\$\((\w+)\)/g, (all, of: string) => made[of] ?? all);
  }
  return made;
}

/** The instructions of the Dockerfile, in order, each on one line. */
export function dockerfile(): { instruction: string; rest: string }[] {
  const lines = textOf('Dockerfile')
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, '')
    .split('\n');
  return lines
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, instruction = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      return { instruction, rest };
    });
}

/** Those of the last stage: what the image is. */
export function finalStage(): { instruction: string; rest: string }[] {
  const all = dockerfile();
  return all.slice(all.findLastIndex(({ instruction }) => instruction === 'FROM'));
}

/** The arguments of `CMD ["…"]`, that of the health check included. */
export function commandOf(instruction: 'CMD' | 'HEALTHCHECK'): string[] {
  const { rest = '' } = finalStage().find((each) => each.instruction === instruction) ?? {};
  return JSON.parse(rest.slice(rest.indexOf('['))) as string[];
}
