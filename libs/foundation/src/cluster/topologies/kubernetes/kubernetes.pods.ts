/**
 * Pure: what the API server says of pods → peers. It comes from the network, so nothing of its shape is taken for
 * granted. Called by `kubernetes.ts`.
 */
import type { Peer, PeerState } from '../../../config/topology.strategy.js';
import { partOf } from '../../../wire/decode.js';

/** How far a list or an object is; a watch goes on from there. */
export function versionOf(object: unknown): string | undefined {
  const version = partOf(partOf(object, 'metadata'), 'resourceVersion');
  return typeof version === 'string' && version !== '' ? version : undefined;
}

/** True for 410: the API server has forgotten what was after that version, so the list has to be read again. */
export function isGone(error: unknown): boolean {
  return partOf(error, 'code') === 410 || partOf(error, 'statusCode') === 410;
}

/**
 * The peer that a pod is; `undefined` for one without a uid.
 *
 * It has ended for certain in the phases Succeeded and Failed only: its containers do not run and never will again
 * (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase). A pod whose node is lost is not ready,
 * and may run.
 */
export function peerOf(pod: unknown): Peer | undefined {
  const uid = partOf(partOf(pod, 'metadata'), 'uid');
  if (typeof uid !== 'string' || uid === '') return undefined;
  const podIp = partOf(partOf(pod, 'status'), 'podIP');
  const host = hostOf(pod);
  return {
    id: uid,
    state: stateOf(pod),
    ...(host === undefined ? {} : { host }),
    ...(typeof podIp === 'string' && podIp !== '' ? { address: podIp } : {}),
  };
}

function stateOf(pod: unknown): PeerState {
  const status = partOf(pod, 'status');
  const phase = partOf(status, 'phase');
  if (phase === 'Succeeded' || phase === 'Failed') return 'terminated';
  if (partOf(partOf(pod, 'metadata'), 'deletionTimestamp')) return 'leaving';
  const conditions = partOf(status, 'conditions');
  const ready = Array.isArray(conditions) && conditions.some(isReady);
  return ready ? 'ready' : 'not-ready';
}

function isReady(condition: unknown): boolean {
  return partOf(condition, 'type') === 'Ready' && partOf(condition, 'status') === 'True';
}

/**
 * What `os.hostname()` says in it: its name, or `spec.hostname`, 63 characters at most. With hostNetwork that is the
 * name of the machine, which other nodes may share; such a node is found when it is named after its pod (`POD_NAME`).
 */
function hostOf(pod: unknown): string | undefined {
  const spec = partOf(pod, 'spec');
  const own = partOf(partOf(pod, 'metadata'), 'name');
  if (partOf(spec, 'hostNetwork') === true) return typeof own === 'string' && own !== '' ? own : undefined;
  const name = partOf(spec, 'hostname') || own;
  return typeof name === 'string' ? name.slice(0, 63).replace(/[-.]+$/, '') : undefined;
}
