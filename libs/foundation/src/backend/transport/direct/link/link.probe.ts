/**
 * Tries whether a node can be reached and takes our cookie: the handshake of a link, of which no link comes.
 * Called by the command line; the other node counts no peer and forgets it.
 */
import type { TlsFiles } from '../../../../config/options.js';
import type { Secret } from '../../../../security/secret.js';
import { keyFor } from '../../../../security/signer.js';
import type { LinkEndReason } from '../../../../telemetry/events.js';
import { readCredentials } from './certificates.js';
import { dial } from './handshake.js';
import { parseAddress } from './host.address.js';
import { wordsOf } from './link.end.js';
import { Link } from './link.js';
import { dialTo, PROOF_MS } from './sockets.js';

/** `unreachable`: no connection. `refused`: it closed, or proved nothing, which is what a different cookie causes. */
export type KnockOutcome = { outcome: 'ok'; ms: number } | { outcome: 'unreachable' | 'refused'; reason: string };

/** Who knocks. */
export interface LinkProbe {
  appName: string;
  bootId: string;
  cookie: Secret;
  tls?: TlsFiles;
}

/** Never rejects but for files of `security.tls` that cannot be read. */
export async function knock(
  { appName, bootId: own, cookie, tls }: LinkProbe,
  { bootId, address: text }: { bootId: string; address: string },
  timeoutMs = PROOF_MS,
): Promise<KnockOutcome> {
  const address = parseAddress(text);
  if (address === undefined) return { outcome: 'unreachable', reason: wordsOf('no-address') };
  const credentials = tls === undefined ? undefined : readCredentials(tls);
  const key = keyFor(cookie.reveal(), appName, 'link');
  const began = performance.now();
  return new Promise((resolve) => {
    let isConnected = false;
    let end = (): void => undefined;
    const done = (outcome: KnockOutcome): void => {
      clearTimeout(timer);
      resolve(outcome);
      end();
    };
    const failed = (reason: string): void => done({ outcome: isConnected ? 'refused' : 'unreachable', reason });
    const ended = (reason: LinkEndReason, error?: string): void => failed(error ?? wordsOf(reason));
    const timer = setTimeout(
      () => failed(`${isConnected ? 'connected, but no' : 'not even connected: no'} answer in ${timeoutMs} ms`),
      timeoutMs,
    );
    end = dialTo(
      address,
      credentials,
      ({ socket, remote, binding }) => {
        isConnected = true;
        const handshake = dial({ app: appName, bootId: own, key, binding }, bootId, { knocks: true });
        new Link(socket, handshake, remote, {
          proven: () => done({ outcome: 'ok', ms: Math.round(performance.now() - began) }),
          frame: () => undefined,
          turn: () => undefined,
          closed: (_link, { reason, error }) => ended(reason, error),
        });
      },
      ended,
    );
  });
}
