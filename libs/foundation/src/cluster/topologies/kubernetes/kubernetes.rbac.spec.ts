import { describe, expect, it } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { accountOf, kubernetesError, rightsFor, type Subject } from './kubernetes.rbac.js';

const http = (code: number, body: unknown) =>
  Object.assign(new Error(`HTTP-Code: ${code} Message: Unknown API Status Code! Body: ${JSON.stringify(body)}`), {
    code,
    body,
  });
const account = (namespace: string, name: string): Subject => ({ kind: 'ServiceAccount', namespace, name });
const says = (error: unknown, namespace = 'shop', more: { account?: Subject; selector?: string } = {}) =>
  kubernetesError(error, { tool: 'kubernetes list pods', namespace, selector: 'app=shop', ...more }).message;
const refused = (user: string) =>
  http(403, JSON.stringify({ message: `pods is forbidden: User ${JSON.stringify(user)} cannot list resource "pods"` }));
const ofWatch = Object.assign(new Error('Forbidden'), { statusCode: 403 });

interface Document {
  kind: string;
  metadata: { name: unknown; namespace: unknown };
  subjects?: { kind: string; name: unknown; namespace?: unknown; apiGroup?: string }[];
}
/** As kubectl reads it, by YAML 1.1. */
const documentsIn = (text: string): Document[] =>
  parseAllDocuments(text.slice(text.indexOf('apiVersion:')), { version: '1.1' }).map((each) => each.toJS() as Document);

describe('kubernetesError', () => {
  it('names the account that was refused in the manifest that helps it', () => {
    const error = kubernetesError(refused('system:serviceaccount:front:web'), {
      ...{ tool: 'kubernetes list pods', namespace: 'shop', selector: 'app=shop' },
    });
    expect(error.message).toMatch(/403: the service account "web" may not list and watch pods in namespace "shop"/);
    expect(error.message).toMatch(/kind: Role\nmetadata:\n {2}name: foundation\n {2}namespace: shop/);
    expect(error.message).toMatch(/kind: ServiceAccount\n {4}name: web\n {4}namespace: front\n$/);
    expect(error).toMatchObject({ strategy: 'kubernetes', tool: 'kubernetes list pods' });
  });

  it('takes the account of the token where the API server names none, as in the refusal of a watch', () => {
    expect(says(ofWatch, 'shop', { account: account('shop', 'front') })).toMatch(/name: front\n {4}namespace: shop\n$/);
    expect(says(refused('system:serviceaccount:shop:back'), 'shop', { account: account('shop', 'front') })).toMatch(
      /name: back\n {4}namespace: shop\n$/,
    );
  });

  it('prints no binding where the rejected account is unknown', () => {
    const text = says(ofWatch);
    expect(text).toMatch(/does not say who may not .*kubectl auth whoami/);
    expect(documentsIn(text).map(({ kind }) => kind)).toEqual(['Role']);
  });

  it('gives it to a person as to a person, and to no account', () => {
    for (const user of ['jane', 'jane@example.org', 'CN=jane/O=shop', 'ja "ne" \\ x', 'jané'] as const) {
      const [, binding] = documentsIn(says(refused(user)));
      expect(binding?.subjects).toEqual([{ kind: 'User', name: user, apiGroup: 'rbac.authorization.k8s.io' }]);
      expect(binding?.metadata.name).toMatch(/^foundation-user:[\w.@:-]+$/);
    }
  });

  it('says that no credentials were sent, with nothing to apply', () => {
    const text = says(refused('system:anonymous'));
    expect(text).toMatch(/no credentials were sent.*tokenFile/s);
    expect(text).not.toContain('apiVersion');
  });

  it('says what other errors mean, in one line', () => {
    expect(says(http(401, {}))).toMatch(/\(401: .*token of a service account/);
    expect(says(http(500, { message: 'etcd is away' }))).toContain('(500: etcd is away)');
    expect(says(new Error('ECONNREFUSED'))).toContain('(ECONNREFUSED)');
    expect(says({ code: 500, message: 'x' })).not.toContain('\n');
  });

  it('names the selector that the API server cannot read', () => {
    const message = "unable to parse requirement: found '', expected: ')' in \"app in (x\"";
    expect(says(http(400, { message }), 'shop', { selector: 'app in (x' })).toMatch(
      /400: .*in "app in \(x"; asked with the label selector "app in \(x"\).* FOUNDATION_K8S_SELECTOR/,
    );
  });

  it('takes no code of a DOMException for a status, and tells causes', () => {
    expect(says(new DOMException('aborted due to timeout', 'TimeoutError'))).toContain('(aborted due to timeout)');
    const cause = new Error('self-signed certificate in certificate chain');
    expect(says(new TypeError('fetch failed', { cause }))).toContain('(fetch failed: self-signed certificate in');
  });
});

describe('rightsFor', () => {
  it('has a binding for each subject, so that applying it takes nothing from another', () => {
    const subjects: Subject[] = [
      ...[account('shop', 'front'), account('shop', 'back'), account('other', 'front')],
      ...[account('shop', 'user-jane'), account('shop', 'other.front')],
      ...['jane', 'a/b', 'a-b', 'a%b'].map((name): Subject => ({ kind: 'User', name })),
    ];
    const names = subjects.map((subject) => documentsIn(rightsFor('shop', subject))[1]?.metadata.name);
    expect(new Set(names).size).toBe(subjects.length);
    expect(names.slice(0, 3)).toEqual(['foundation-front', 'foundation-back', 'foundation-other:front']);
    const roles = new Set(subjects.map((subject) => rightsFor('shop', subject).split('---')[0]));
    expect(roles.size).toBe(1);
  });

  it.each(['2024', '1e3', '0x1f', 'true', 'on', 'null', '007', 'y', '1-2', 'a.b', 'no-thing'])(
    'writes the name %s as a text',
    (name) => {
      const [role, binding] = documentsIn(rightsFor(name, account(name, name)));
      expect([role?.metadata.namespace, binding?.metadata.namespace]).toEqual([name, name]);
      expect(binding?.metadata.name).toBe(`foundation-${name}`);
      expect(binding?.subjects).toEqual([{ kind: 'ServiceAccount', name, namespace: name }]);
    },
  );

  it('asks for no more than it needs', () => {
    expect(rightsFor('shop', account('shop', 'web'))).toContain('verbs: [list, watch]');
  });
});

describe('accountOf', () => {
  const token = (payload: unknown) => `x.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.y`;

  it('reads whom a token of Kubernetes is for, and nothing else', () => {
    expect(accountOf(token({ sub: 'system:serviceaccount:shop:front' }))).toEqual(account('shop', 'front'));
    for (const other of [undefined, 5, '', 'opaque', 'a.b.c', token(null), token({ sub: 5 }), token({ sub: 'jane' })]) {
      expect(accountOf(other)).toBeUndefined();
    }
  });
});
