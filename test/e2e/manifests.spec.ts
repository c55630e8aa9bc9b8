// deploy/kubernetes on a real API server: each file is taken as it is, and the account of the pods may do what the
// strategy needs and nothing else. Needs KUBEBUILDER_ASSETS; deploy.spec.ts runs the application by these files.
// @redis embedded-ok
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { kustomization, type Manifest, manifest, manifests } from '../support/deploy.js';
import { TestKubernetes } from '../support/kubernetes.js';

interface Rights {
  rules?: unknown;
  subjects?: { name: string }[];
}

const assets = process.env['KUBEBUILDER_ASSETS'];
const START_MS = 90_000;
const { namespace } = kustomization();
const account = manifest('Deployment', 'foundation-app').spec!.template.spec!.serviceAccountName!;

describe('deploy/kubernetes', () => {
  it('gives the account of the pods list and watch of pods by its only role', () => {
    const all = manifests() as (Manifest & Rights)[];
    const roles = all.filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole');
    const bindings = all.filter(({ kind }) => kind === 'RoleBinding' || kind === 'ClusterRoleBinding');
    expect(roles.map(({ kind, rules }) => [kind, rules])).toEqual([
      ['Role', [{ apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] }]],
    ]);
    expect(bindings.map(({ kind, subjects }) => [kind, subjects?.map(({ name }) => name)])).toEqual([
      ['RoleBinding', [account]],
    ]);
  });
});

// Registered only where there is one, as the suites of the strategy are.
if (assets)
  describe('deploy/kubernetes on a real API server', () => {
    let kubernetes: TestKubernetes;
    let minor: number;

    beforeAll(async () => {
      kubernetes = await TestKubernetes.real(assets);
      minor = parseInt(String((await kubernetes.call('GET', '/version'))['minor']));
    }, START_MS);
    afterAll(() => kubernetes.close());

    /** Where the objects of a kind are; before 1.21 a server has no policy/v1, and takes the file as policy/v1beta1. */
    const pathOf = (apiVersion: string, kind: string): string => {
      const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
      const plural = `${kind.toLowerCase()}s`;
      return kind === 'Namespace' ? `${root}/${plural}` : `${root}/namespaces/${namespace}/${plural}`;
    };

    it('takes each file, with all of its fields', async () => {
      for (const each of manifests()) {
        const isNewer = each.apiVersion === 'policy/v1' && minor < 21;
        const apiVersion = isNewer ? 'policy/v1beta1' : each.apiVersion;
        const body = { ...each, apiVersion };
        const made = await kubernetes.call('POST', pathOf(apiVersion, each.kind), body);
        // A field that the server does not know is gone in its answer.
        expect(made).toMatchObject(body);
      }
    });

    it('gives the account of the pods what the strategy needs, and nothing else', async () => {
      const may = async (verb: string, resource: string, more: Record<string, string> = {}): Promise<boolean> => {
        const body = {
          ...{ apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview' },
          spec: {
            user: `system:serviceaccount:${namespace}:${account}`,
            groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
            resourceAttributes: { namespace, verb, resource, ...more },
          },
        };
        const { status } = await kubernetes.call('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', body);
        return (status as { allowed: boolean }).allowed;
      };
      const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'];
      const resources = ['pods', 'secrets', 'configmaps', 'services', 'endpoints', 'serviceaccounts', 'nodes'];
      const allowed: string[] = [];
      for (const resource of resources)
        for (const verb of verbs) if (await may(verb, resource)) allowed.push(`${verb} ${resource}`);
      expect(allowed).toEqual(['list pods', 'watch pods']);
      expect(await may('list', 'pods', { namespace: 'default' })).toBe(false);
      expect(await may('create', 'pods', { subresource: 'exec' })).toBe(false);
      expect(await may('get', 'pods', { subresource: 'log' })).toBe(false);
    });
  });
