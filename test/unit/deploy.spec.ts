// What would only show in a cluster: that the files in deploy/ agree with each other, with the options and with the
// image.
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import {
  dumpYaml,
  loadYaml,
  type V1Deployment,
  type V1PodDisruptionBudget,
  type V1Probe,
} from '@kubernetes/client-node';
import { parse } from 'yaml';
import { rightsFor } from '../../libs/foundation/src/cluster/topologies/kubernetes/kubernetes.rbac.js';
import { resolve } from '../../libs/foundation/src/config/resolve.js';
import {
  commandOf,
  containerOf,
  dockerfile,
  documentsIn,
  environmentOf,
  finalStage,
  kustomization,
  type Manifest,
  manifest,
  manifests,
  root,
  textOf,
} from '../support/deploy.js';

/** What Foundation may take beyond `shutdownTimeout`, and Nest for the rest, in milliseconds. */
const AFTERWARDS_MS = 5000;
const SECRETS = { 'redis-password': 'hunter2-hunter2', cookie: 'a-cookie-of-16-characters' };
const FIELDS = { 'metadata.name': 'pod-a', 'spec.nodeName': 'machine-1' };

const { namespace } = kustomization();
const deployment = manifest('Deployment', 'foundation-app');
const { template } = deployment.spec!;
const app = containerOf(template);
const redis = manifest('StatefulSet', 'redis');
const { shutdownTimeout } = resolve({}, {}, { host: 'box', pid: 7 });

describe('deploy/kubernetes', () => {
  it('has only fields that the Kubernetes API knows', () => {
    for (const each of manifests()) expect(parse(dumpYaml(loadYaml(JSON.stringify(each))))).toEqual(each);
    const misspelt = { ...deployment, spec: { ...deployment.spec, replica: 3 } };
    expect(parse(dumpYaml(loadYaml(JSON.stringify(misspelt))))).not.toEqual(misspelt);
  });

  it('needs no newer Kubernetes than the files and their page say', () => {
    // Since which 1.x each is served, by https://kubernetes.io/docs/reference/using-api/deprecation-guide.
    const since = new Map<string, number>([
      ...[['v1', 0] as const, ['apps/v1', 9] as const, ['rbac.authorization.k8s.io/v1', 8] as const],
      ['policy/v1', 21] as const,
    ]);
    const needed = Math.max(...manifests().map(({ apiVersion }) => since.get(apiVersion) ?? Infinity));
    for (const path of ['deploy/kubernetes/kustomization.yaml', 'docs/guides/deployment.md']) {
      expect(textOf(path)).toMatch(new RegExp(`Kubernetes 1\\.${needed} or newer`));
    }
  });

  it('grants what the strategy and doctor print, to the account of the pods', () => {
    const name = template.spec!.serviceAccountName!;
    const account = { kind: 'ServiceAccount', name, namespace } as const;
    const [made, ...rights] = documentsIn(textOf('deploy/kubernetes/rights.yaml'));
    expect(made).toEqual({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account.name } });
    expect(rights).toEqual(documentsIn(rightsFor(namespace, account)));
    expect(textOf('deploy/kubernetes/rights.yaml').endsWith(rightsFor(namespace, account))).toBe(true);
    expect(manifests()[0]).toMatchObject({ kind: 'Namespace', metadata: { name: namespace } });
  });

  it('tells a node by its environment where it is, each variable by a name that is read', () => {
    const env = environmentOf(app.env, FIELDS, SECRETS);
    const resolved = (without?: string) => {
      const entries = Object.entries(env).filter(([name]) => name !== without);
      const inPod = { host: 'pod-a', pid: 1, podNamespace: namespace };
      const world = { KUBERNETES_SERVICE_HOST: '10.0.0.1', ...Object.fromEntries(entries) };
      return resolve({ cluster: true }, world, inPod); // as the sample application does
    };
    expect(resolved()).toMatchObject({
      ...{ appName: 'foundation-app', strategy: 'kubernetes', detected: false },
      ...{ nodeName: 'pod-a', labels: { machine: 'machine-1' }, redis: { password: SECRETS['redis-password'] } },
      topologies: [{ config: { selector: 'app=foundation-app', namespace, redisService: 'redis' } }],
    });
    for (const name of Object.keys(env).filter((each) => each !== 'K8S_NODE')) {
      expect({ without: name, ...resolved(name) }).not.toEqual({ without: name, ...resolved() });
    }
  });

  it('selects with each selector what it is meant for', () => {
    const labels = template.metadata!.labels!;
    expect(labels).toEqual({ app: 'foundation-app' });
    expect(deployment.spec!.selector.matchLabels).toEqual(labels);
    expect(manifest('Service', 'foundation-app').spec!.selector).toEqual(labels);
    expect(manifest('PodDisruptionBudget', 'foundation-app').spec!.selector!.matchLabels).toEqual(labels);
    expect(template.spec!.topologySpreadConstraints![0]!.labelSelector!.matchLabels).toEqual(labels);
    const { selector, serviceName, template: redisTemplate } = redis.spec!;
    expect(selector.matchLabels).toEqual(redisTemplate.metadata!.labels);
    expect(manifest('Service', 'redis').spec!.selector).toEqual(redisTemplate.metadata!.labels);
    expect(serviceName).toBe('redis');
    expect(redisTemplate.metadata!.labels).not.toMatchObject(labels);
  });

  it('leads every service and every probe to a port that there is', () => {
    for (const [name, { template: pods }] of [
      ['foundation-app', deployment.spec!],
      ['redis', redis.spec!],
    ] as const) {
      const { ports = [], startupProbe, livenessProbe, readinessProbe } = containerOf(pods);
      const names: unknown[] = ports.map((port) => port.name);
      for (const { targetPort } of manifest('Service', name).spec!.ports!) expect(names).toContain(targetPort);
      for (const { httpGet, tcpSocket } of [startupProbe, livenessProbe, readinessProbe] as V1Probe[]) {
        const port = httpGet?.port ?? tcpSocket?.port;
        if (port !== undefined) expect(names).toContain(port);
      }
    }
    expect(app.ports).toEqual([{ name: 'http', containerPort: portOfMain() }]);
    expect(manifest('Service', 'redis').spec!.ports).toMatchObject([{ port: 6379 }]); // where the strategy looks
  });

  it('restarts a process only for its own sake, and sends requests only to nodes that take work', () => {
    expect(app.livenessProbe!.httpGet!.path).toBe('/health/live');
    expect(app.startupProbe!.httpGet!.path).toBe('/health/live');
    expect(app.readinessProbe!.httpGet!.path).toBe('/health/ready');
  });

  it('waits for the drain before it kills', () => {
    const [command, seconds] = app.lifecycle!.preStop!.exec!.command!;
    expect(command).toBe('sleep');
    const drainMs = Number(seconds) * 1000 + shutdownTimeout + AFTERWARDS_MS;
    expect(template.spec!.terminationGracePeriodSeconds! * 1000).toBeGreaterThanOrEqual(drainMs);
  });

  it('keeps a majority through a disruption and a rollout', () => {
    const { maxUnavailable } = manifest('PodDisruptionBudget', 'foundation-app').spec!;
    const { replicas, strategy } = deployment.spec!;
    expect(replicas! - Number(maxUnavailable)).toBeGreaterThan(replicas! / 2);
    expect(strategy!.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
  });

  it('runs nothing as root, with capabilities or on a root that can be written', () => {
    for (const pods of [template, redis.spec!.template]) {
      const { runAsNonRoot, runAsUser, seccompProfile } = pods.spec!.securityContext!;
      expect({ runAsNonRoot, seccompProfile }).toEqual({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(runAsUser).toBeGreaterThan(0);
      expect(containerOf(pods).securityContext).toEqual({
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      });
      expect(containerOf(pods).resources).toMatchObject({ requests: { cpu: expect.any(String) }, limits: {} });
      expect(containerOf(pods).resources!.limits).not.toHaveProperty('cpu');
    }
  });

  it('has a Redis that evicts nothing and asks for the password that the nodes have', () => {
    const { args = [], env } = containerOf(redis.spec!.template);
    expect(args.join(' ')).toBe('--requirepass $(REDISCLI_AUTH) --maxmemory-policy noeviction --appendonly yes');
    const of = (name: string) =>
      [...(env ?? []), ...(app.env ?? [])].find((each) => each.name === name)?.valueFrom?.secretKeyRef;
    expect(of('REDISCLI_AUTH')).toEqual({ name: 'foundation-app', key: 'redis-password' });
    expect(of('FOUNDATION_REDIS_PASSWORD')).toEqual(of('REDISCLI_AUTH'));
  });

  it('holds no secret, and the page of deployment says how to make the one that it asks for', () => {
    const kinds = manifests().map(({ kind }) => kind);
    expect(kinds).not.toContain('Secret');
    expect(kustomization()).not.toHaveProperty('secretGenerator');
    const variables = [...(app.env ?? []), ...(containerOf(redis.spec!.template).env ?? [])];
    const secret = variables.filter(({ name }) => /PASSWORD|COOKIE|SECRET|TOKEN|AUTH/.test(name));
    expect(secret).toHaveLength(3);
    for (const { value } of secret) expect(value).toBeUndefined();
    const page = textOf('docs/guides/deployment.md');
    for (const { valueFrom } of secret) {
      const { name, key } = valueFrom!.secretKeyRef!;
      expect(page).toContain(`kubectl -n ${namespace} create secret generic ${name} `);
      expect(page).toContain(`--from-literal=${key}="$(openssl rand -hex 32)"`);
    }
  });

  it('takes the image from where the kustomization says, which is what its page builds', () => {
    const [image] = kustomization().images;
    expect(app.image).toBe(image!.name);
    expect(textOf('docs/guides/deployment.md')).toContain(`docker build -t ${image!.newName} .`);
  });

  // Beside what the other tests hold; where there is no kubectl, this one says so and nothing else is lost.
  it('is what kustomize makes of it', async () => {
    const made = await promisify(execFile)('kubectl', ['kustomize', join(root, 'deploy/kubernetes')]).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        console.log('There is no kubectl on the PATH, so kustomize was not asked');
      },
    );
    if (made === undefined) return;
    const rendered = documentsIn(made.stdout);
    const names = (all: ReturnType<typeof manifests>) => all.map((each) => `${each.kind} ${each.metadata.name}`).sort();
    expect(names(rendered)).toEqual(names(manifests()));
    for (const { kind, metadata } of rendered) {
      if (kind !== 'Namespace') expect({ kind, of: metadata.namespace }).toEqual({ kind, of: namespace });
    }
    expect(made.stdout).toContain('image: foundation-app:latest');
  });
});

describe('deploy/kustomize', () => {
  const FOLDER = 'deploy/kustomize';
  interface Component {
    kind: string;
    resources: string[];
    patches: { path: string; target: { kind: string; name: string } }[];
  }
  const component = parse(textOf(`${FOLDER}/kustomization.yaml`)) as Component;
  const resources = component.resources.flatMap((file) => documentsIn(textOf(`${FOLDER}/${file}`)));
  const [patch] = documentsIn<V1Deployment>(textOf(`${FOLDER}/node.yaml`));
  const pods = patch!.spec!.template;
  const node = containerOf(pods);
  const find = <T>(kind: string): T => resources.find((each) => each.kind === kind) as unknown as T;

  it('is a component of files that there are, with fields that the Kubernetes API knows', () => {
    expect(component.kind).toBe('Component');
    const named = [...component.resources, ...component.patches.map(({ path }) => path), 'kustomization.yaml'];
    expect(readdirSync(join(root, FOLDER)).sort()).toEqual(named.sort());
    for (const each of [...resources, patch!]) {
      expect(parse(dumpYaml(loadYaml(JSON.stringify(each))))).toEqual(each);
    }
    expect(component.patches).toEqual([{ path: 'node.yaml', target: { kind: 'Deployment', name: 'foundation-app' } }]);
    expect(textOf(`${FOLDER}/kustomization.yaml`)).toMatch(/Kubernetes 1\.21 or\n?# newer/);
  });

  it('gives the pods what those of deploy/kubernetes have, and a label that no chart has', () => {
    for (const field of ['startupProbe', 'livenessProbe', 'readinessProbe', 'lifecycle'] as const)
      expect([field, node[field]]).toEqual([field, app[field]]);
    expect(pods.spec!.terminationGracePeriodSeconds).toBe(template.spec!.terminationGracePeriodSeconds);
    expect(patch!.spec!.strategy).toEqual(deployment.spec!.strategy);
    const labels = { foundation: 'foundation-app' };
    expect(pods.metadata!.labels).toEqual(labels);
    // It is merged into what is there: a selector and an image are none of its business.
    expect(patch!.spec).not.toHaveProperty('selector');
    expect(node).not.toHaveProperty('image');
    const budget = find<V1PodDisruptionBudget>('PodDisruptionBudget').spec!;
    expect(budget).toEqual({
      ...manifest('PodDisruptionBudget', 'foundation-app').spec,
      selector: { matchLabels: labels },
    });
  });

  it('tells a node where it is and how it finds the others, its secrets by a Secret', () => {
    const secrets = { 'redis-url': 'redis://:hunter2-hunter2@redis:6379', cookie: SECRETS.cookie };
    const env = environmentOf(node.env, FIELDS, secrets);
    const inPod = { host: 'pod-a', pid: 1, podNamespace: namespace };
    const resolved = resolve({ cluster: true }, { KUBERNETES_SERVICE_HOST: '10.0.0.1', ...env }, inPod);
    expect(resolved).toMatchObject({
      ...{ appName: 'foundation-app', strategy: 'kubernetes', detected: false, nodeName: 'pod-a' },
      ...{ redis: { url: secrets['redis-url'] } },
      topologies: [{ config: { selector: 'foundation=foundation-app', namespace } }],
    });
    expect(resolved.cookie!.reveal()).toBe(SECRETS.cookie);
    const fromSecret = node.env!.filter(({ valueFrom }) => valueFrom?.secretKeyRef !== undefined);
    expect(fromSecret.map(({ name }) => name)).toEqual(['FOUNDATION_REDIS_URL', 'FOUNDATION_COOKIE']);
    const page = textOf('docs/guides/deployment.md');
    for (const { valueFrom } of fromSecret) expect(page).toContain(`--from-literal=${valueFrom!.secretKeyRef!.key}=`);
  });

  it('grants the account of the pods the rights that the strategy needs', () => {
    const account = find<Manifest>('ServiceAccount').metadata.name;
    expect(pods.spec!.serviceAccountName).toBe(account);
    const rights = documentsIn(rightsFor(namespace, { kind: 'ServiceAccount', name: account, namespace }));
    // Whose namespace the kustomization of the application says.
    const bare = rights.map(({ metadata: { namespace: _namespace, ...metadata }, ...rest }) => ({ ...rest, metadata }));
    expect(resources.filter(({ kind }) => kind.startsWith('Role'))).toEqual(bare);
  });

  // As above: where there is no kubectl, this one says so and nothing else is lost.
  it('is put onto a Deployment by kustomize', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'foundation-kustomize-'));
    try {
      cpSync(join(root, FOLDER), join(folder, 'component'), { recursive: true });
      const own = {
        ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'foundation-app' } },
        spec: {
          selector: { matchLabels: { of: 'a-chart' } },
          template: {
            metadata: { labels: { of: 'a-chart' } },
            spec: { containers: [{ name: 'app', image: 'mine', env: [{ name: 'MINE', value: 'stays' }] }] },
          },
        },
      };
      writeFileSync(join(folder, 'own.yaml'), JSON.stringify(own));
      const overlay = { namespace: 'mine', resources: ['own.yaml'], components: ['component'] };
      writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(overlay));
      const made = await promisify(execFile)('kubectl', ['kustomize', folder]).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        console.log('There is no kubectl on the PATH, so kustomize was not asked');
      });
      if (made === undefined) return;
      const rendered = documentsIn<V1Deployment>(made.stdout).find(({ kind }) => kind === 'Deployment')!;
      const { labels } = rendered.spec!.template.metadata!;
      expect(labels).toEqual({ of: 'a-chart', foundation: 'foundation-app' });
      expect(containerOf(rendered.spec!.template).env!.map(({ name }) => name)).toEqual(
        expect.arrayContaining(['MINE', 'FOUNDATION_CLUSTER']),
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('Dockerfile', () => {
  const rest = (instruction: string) => finalStage().find((each) => each.instruction === instruction)?.rest;

  it('installs what the lock says, and runs the application as process 1', () => {
    expect(dockerfile().some((each) => /^npm ci /.test(each.rest))).toBe(true);
    expect(commandOf('CMD')).toEqual(['node', 'dist/sample-app/src/main.js']);
    expect(rest('EXPOSE')).toBe(String(portOfMain()));
  });

  it('has the user of the pods, by number', () => {
    const { runAsUser, runAsGroup } = template.spec!.securityContext!;
    expect(rest('USER')).toBe(`${runAsUser}:${runAsGroup}`);
  });

  it('is of a Node that the package supports', () => {
    const bases = dockerfile().filter(({ instruction }) => instruction === 'FROM');
    expect(bases.map((base) => base.rest.split(' ')[0])).toEqual(['node:22-slim', 'node:22-slim']);
  });

  it('leaves what is secret, built or installed here out of the builder', () => {
    const lines = textOf('.dockerignore').split('\n');
    expect(lines.find((line) => !line.startsWith('#'))).toBe('*');
    expect(lines).toEqual(expect.arrayContaining(['**/node_modules', '**/dist', '**/.env*']));
  });

  it('gives the builder what the build puts into the package', () => {
    const read = [...textOf('libs/foundation/stage.mjs').matchAll(/join\(root, '(\w+)'\)/g)].map(
      ([, folder]) => `!${folder}`,
    );
    expect(read).toContain('!docs');
    expect(textOf('.dockerignore').split('\n')).toEqual(expect.arrayContaining(read));
  });
});

describe('deploy/compose.yaml', () => {
  interface Service {
    command?: string[];
    environment: Record<string, string>;
    ports: string[];
    deploy: { replicas: number };
    stop_grace_period: string;
    depends_on: object;
    healthcheck: { test: string[] };
  }
  const { services } = parse(textOf('deploy/compose.yaml')) as { services: { app: Service; redis: Service } };

  it('has a port of this machine, and not of others, for each of three nodes', () => {
    const { ports, deploy } = services.app;
    expect(deploy.replicas).toBe(3);
    const [, first, last, inside] = /^127\.0\.0\.1:(\d+)-(\d+):(\d+)$/.exec(ports.join()) ?? [];
    expect(Number(last) - Number(first) + 1).toBe(deploy.replicas);
    expect(Number(inside)).toBe(portOfMain());
    expect(services.redis.ports).toBeUndefined();
  });

  it('starts nothing without its secrets, which come from a file that git ignores', () => {
    const text = textOf('deploy/compose.yaml');
    const asked = [...text.matchAll(/\$\{(\w+)(:\?)?/g)];
    expect(asked.every(([, , required]) => required === ':?')).toBe(true);
    const example = textOf('deploy/.env.example')
      .split('\n')
      .filter((line) => /^\w/.test(line));
    expect(example.sort()).toEqual([...new Set(asked.map(([, name]) => `${name}=`))].sort());
    expect(textOf('.gitignore').split('\n')).toEqual(expect.arrayContaining(['.env', '!.env.example']));
  });

  it('gives the nodes an environment that they take', () => {
    const values = (text: string) => text.replace(/\$\{(\w+):\?[^}]*\}/g, (_all, name: string) => `0123456789-${name}`);
    const env = Object.fromEntries(
      Object.entries(services.app.environment).map(([name, text]) => [name, values(text)]),
    );
    const config = resolve({ cluster: true }, { ...env, NODE_ENV: 'production' }, { host: 'c0ffee', pid: 7 });
    expect(config).toMatchObject({
      ...{ backend: 'redis', appName: 'foundation-app', nodeName: 'c0ffee-7' },
      redis: { url: 'redis://:0123456789-REDIS_PASSWORD@redis:6379' },
    });
    expect(config.cookie).toBeDefined();
  });

  it('has a Redis that evicts nothing, and waits for the drain before it kills', () => {
    expect(services.redis.command!.slice(2).join(' ')).toBe('--maxmemory-policy noeviction --appendonly yes');
    expect(services.redis.healthcheck.test).toEqual(['CMD', 'redis-cli', '-e', 'ping']);
    expect(services.app.depends_on).toEqual({ redis: { condition: 'service_healthy' } });
    expect(parseInt(services.app.stop_grace_period) * 1000).toBeGreaterThanOrEqual(shutdownTimeout + AFTERWARDS_MS);
  });
});

function portOfMain(): number {
  return Number(/process\.env\['PORT'\] \?\? (\d+)/.exec(textOf('sample-app/src/main.ts'))?.[1]);
}
