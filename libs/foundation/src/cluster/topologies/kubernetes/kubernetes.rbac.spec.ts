import { describe, expect, it } from '@jest/globals';
import { kubernetesError } from './kubernetes.rbac.js';

const http = (code: number, body: unknown) =>
  Object.assign(new Error(`HTTP-Code: ${code} Message: Unknown API Status Code! Body: ${JSON.stringify(body)}`), {
    code,
    body,
  });

describe('kubernetesError', () => {
  it('names the account that was refused in the manifest that helps it', () => {
    const message = 'pods is forbidden: User "system:serviceaccount:front:web" cannot list resource "pods"';
    const error = kubernetesError(http(403, JSON.stringify({ message })), 'kubernetes list pods', 'shop');
    expect(error.message).toMatch(/403: the service account may not list and watch pods in namespace "shop"/);
    expect(error.message).toMatch(/kind: Role\nmetadata:\n {2}name: foundation\n {2}namespace: shop/);
    expect(error.message).toMatch(/kind: ServiceAccount\n {4}name: web\n {4}namespace: front\n$/);
    expect(error).toMatchObject({ strategy: 'kubernetes', tool: 'kubernetes list pods' });
  });

  it('takes the default account where none is named, as in the refusal of a watch', () => {
    const error = kubernetesError(
      Object.assign(new Error('Forbidden'), { statusCode: 403 }),
      'kubernetes watch pods',
      'shop',
    );
    expect(error.message).toMatch(/name: default\n {4}namespace: shop\n$/);
  });

  it('says what other errors mean, in one line', () => {
    expect(kubernetesError(http(401, {}), 't', 'n').message).toMatch(/\(401: .*token of a service account/);
    expect(kubernetesError(http(500, { message: 'etcd is away' }), 't', 'n').message).toContain('(500: etcd is away)');
    expect(kubernetesError(new Error('ECONNREFUSED'), 't', 'n').message).toContain('(ECONNREFUSED)');
    expect(kubernetesError({ code: 500, message: 'x' }, 't', 'n').message).not.toContain('\n');
  });
});
