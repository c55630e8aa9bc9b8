/**
 * Pure: what an error of the API server means, and the manifest that mends it.
 * Called by `kubernetes.ts`.
 */
import { createHash } from 'node:crypto';
import { TopologyError } from '../../../errors/cluster.errors.js';
import { describe, describeWithCauses, read } from '../../../errors/describe.js';
import { anyText, anything, fromJson } from '../../../wire/decode.js';

/** Who was refused: the account of a pod, or a person. */
export type Subject = { kind: 'ServiceAccount'; name: string; namespace: string } | { kind: 'User'; name: string };

/** What a failed request is said about. */
export interface Asked {
  /** The call, as in `kubernetes list pods`. */
  tool: string;
  namespace: string;
  selector: string;
  /** The account of the token that was sent, where it says so; the refusal of a watch names no account. */
  account?: Subject | undefined;
}

/**
 * The Role and the RoleBinding that let an account see the pods of a namespace; for `kubectl apply -f -`.
 *
 * Each subject has a RoleBinding of its own. `apply` replaces the subjects of a binding, so one that two
 * applications share would give the one its right by taking it from the other. The Role is the same for all.
 */
export function rightsFor(namespace: string, subject: Subject): string {
  const [of, owner] =
    subject.kind === 'User'
      ? ['apiGroup', 'rbac.authorization.k8s.io']
      : (['namespace', scalar(subject.namespace)] as const);
  return `${roleFor(namespace)}---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: ${scalar(bindingOf(namespace, subject))}
  namespace: ${scalar(namespace)}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: foundation
subjects:
  - kind: ${subject.kind}
    name: ${scalar(subject.name)}
    ${of}: ${owner}
`;
}

function roleFor(namespace: string): string {
  return `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: foundation
  namespace: ${scalar(namespace)}
rules:
  - apiGroups: ['']
    resources: [pods]
    verbs: [list, watch]
`;
}

/** A colon is in no name of an account or namespace, so no two subjects have one name. */
function bindingOf(namespace: string, subject: Subject): string {
  if (subject.kind === 'ServiceAccount')
    return `foundation-${subject.namespace === namespace ? '' : `${subject.namespace}:`}${subject.name}`;
  // What the path of a URL cannot carry: a person may be called CN=jane/O=shop.
  const path = subject.name.replace(/[^\w.@:-]/g, '-').slice(0, 200);
  const mark = createHash('sha256').update(subject.name).digest('hex').slice(0, 8);
  return `foundation-user:${path}${path === subject.name ? '' : `:${mark}`}`;
}

/** Words that YAML 1.1, which kubectl reads, takes for something else than a text. */
const WORDS = /^(?:y|n|yes|no|on|off|true|false|null)$/i;

/** A text as YAML: quoted where it would be read as a number, a truth value or nothing. */
function scalar(text: string): string {
  if (/^[a-z][a-z0-9.-]*$/i.test(text) && !WORDS.test(text)) return text;
  return /^[\x20-\x7e]*$/.test(text) ? `'${text.replace(/'/g, "''")}'` : JSON.stringify(text);
}

/** The account that a token of Kubernetes is for; `undefined` for a token of another kind. It is read, not verified. */
export function accountOf(token: unknown): Subject | undefined {
  if (typeof token !== 'string') return undefined;
  const claims = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  const sub = anyText(read(fromJson(anything)(claims), 'sub'));
  const subject = sub === undefined ? undefined : subjectOf(sub);
  return subject?.kind === 'ServiceAccount' ? subject : undefined;
}

/** The error of a list or a watch, with what can be done about it. */
export function kubernetesError(error: unknown, asked: Asked): TopologyError {
  const status = statusOf(error);
  if (status === undefined) {
    // The second version of the client says `fetch failed`, and why only in the cause.
    return new TopologyError('kubernetes', asked.tool, describeWithCauses(error), REACH, error);
  }
  const message = messageOf(error);
  const failed = (problem: string, advice: string): TopologyError =>
    new TopologyError('kubernetes', asked.tool, `${status}: ${problem}`, advice, error);
  switch (status) {
    case 403:
      return failed(...refusal(message, asked));
    case 401:
      return failed(
        'the API server does not accept the credentials',
        'Mount the token of a service account (automountServiceAccountToken), or name another kubeconfig.',
      );
    case 400:
      return failed(
        `${message}; asked with the label selector ${JSON.stringify(asked.selector)}`,
        'Correct the setting `selector` of the strategy, or FOUNDATION_K8S_SELECTOR; without them it is app=<appName>.',
      );
    default:
      return failed(message, REACH);
  }
}

const REACH = 'Check that the API server can be reached from here.';

/** Problem and advice: only the account that was refused gets a manifest. */
function refusal(message: string, { namespace, account }: Asked): [string, string] {
  const [, named] = /\bUser "((?:[^"\\]|\\.)+)"/.exec(message) ?? [];
  const subject = named === undefined ? account : subjectOf(named);
  const may = `may not list and watch pods in namespace "${namespace}"`;
  if (subject === undefined) {
    return [
      `the API server does not say who ${may}`,
      'Find out whose credentials these are (`kubectl auth whoami`, or the audit log of the API server), and bind this ' +
        `role to them in a RoleBinding of their own:\n\n${roleFor(namespace)}`,
    ];
  }
  if (subject.kind === 'User' && subject.name === 'system:anonymous') {
    return [
      `no credentials were sent, and who sends none ${may}`,
      'Name a kubeconfig whose user has a `token`, a client certificate or `exec`; the client does not read `tokenFile`.',
    ];
  }
  const who = subject.kind === 'User' ? `the user "${subject.name}"` : `the service account "${subject.name}"`;
  return [`${who} ${may}`, `Apply this:\n\n${rightsFor(namespace, subject)}`];
}

function subjectOf(user: string): Subject {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? [];
  if (namespace === undefined || name === undefined) return { kind: 'User', name: unescaped(user) };
  return { kind: 'ServiceAccount', name, namespace };
}

/** The API server quotes a name as Go does, which is nearly as JSON does. */
function unescaped(text: string): string {
  return fromJson(anyText)(`"${text}"`) ?? text;
}

/** The status of HTTP; the `code` of a DOMException is a number, too, and below 100. */
function statusOf(error: unknown): number | undefined {
  return [read(error, 'code'), read(error, 'statusCode')].find(
    (each): each is number => typeof each === 'number' && each >= 100 && each <= 599,
  );
}

/** The message of the API server, without the headers that the client puts behind it. */
function messageOf(error: unknown): string {
  const body = read(error, 'body');
  const message = read(typeof body === 'string' ? fromJson(anything)(body) : body, 'message');
  return typeof message === 'string' && message !== '' ? message.slice(0, 500) : describe(error).slice(0, 300);
}
