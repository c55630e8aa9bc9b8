/**
 * Pure: what an error of the API server means, and the manifest that mends it.
 * Called by `kubernetes.ts`.
 */
import { TopologyError } from '../../../errors/cluster.errors.js';
import { describe } from '../../../errors/describe.js';

/** The Role and the RoleBinding that let a service account see the pods of a namespace; for `kubectl apply -f -`. */
export function rightsFor(namespace: string, account: { name: string; namespace: string }): string {
  return `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: foundation
  namespace: ${namespace}
rules:
  - apiGroups: ['']
    resources: [pods]
    verbs: [get, list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: foundation
  namespace: ${namespace}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: foundation
subjects:
  - kind: ServiceAccount
    name: ${account.name}
    namespace: ${account.namespace}
`;
}

/** The error of a list or a watch, with what can be done about it. */
export function kubernetesError(error: unknown, tool: string, namespace: string): TopologyError {
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  const status = [code, statusCode].find((each) => typeof each === 'number');
  if (status === 403) {
    const problem = `403: the service account may not list and watch pods in namespace "${namespace}"`;
    return new TopologyError(
      'kubernetes',
      tool,
      problem,
      `Apply this:\n\n${rightsFor(namespace, accountIn(error, namespace))}`,
      error,
    );
  }
  if (status === 401) {
    const advice = 'Mount the token of a service account (automountServiceAccountToken), or name another kubeconfig.';
    return new TopologyError('kubernetes', tool, '401: the API server does not accept the credentials', advice, error);
  }
  const text = status === undefined ? describe(error) : `${status}: ${messageOf(error)}`;
  return new TopologyError('kubernetes', tool, text, 'Check that the API server can be reached from here.', error);
}

/** The API server names the account that it refused: `User "system:serviceaccount:shop:default" cannot list …`. */
function accountIn(error: unknown, namespace: string): { name: string; namespace: string } {
  const { body } = error as { body?: unknown };
  const text = `${describe(error)} ${typeof body === 'string' ? body : JSON.stringify(body ?? '')}`;
  const [, ofNamespace = namespace, name = 'default'] = /system:serviceaccount:([\w.-]+):([\w.-]+)/.exec(text) ?? [];
  return { name, namespace: ofNamespace };
}

/** The message of the API server, without the headers that the client puts behind it. */
function messageOf(error: unknown): string {
  return /"message\\?":\\?"((?:[^"\\]|\\.){1,300}?)\\?"/.exec(describe(error))?.[1] ?? describe(error).slice(0, 300);
}
