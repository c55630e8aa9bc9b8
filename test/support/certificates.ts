// Certificates for tests, made here: not every machine has openssl. An authority, and certificates of nodes that it
// signs, on the curve P-256, as RFC 5280 writes them in DER.
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export interface Issued {
  cert: string;
  key: string;
}

/** An authority of the test's own. */
export class Authority {
  readonly cert: string;
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  constructor(private readonly name: string) {
    this.cert = this.#certificate(`${name} authority`, this.#keys.publicKey, true);
  }

  /** A certificate with its key, both as PEM, valid for a day and for 127.0.0.1, or for a host name alone. */
  issue(subject = 'node', host?: string): Issued {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { cert: this.#certificate(subject, publicKey, false, host), key };
  }

  #certificate(subject: string, publicKey: KeyObject, isAuthority: boolean, host?: string): string {
    const day = 86_400_000;
    const name = host === undefined ? der(0x87, [127, 0, 0, 1]) : der(0x82, Buffer.from(host));
    const body = sequence(
      der(0xa0, der(0x02, [2])),
      der(0x02, Buffer.concat([Buffer.of(1), Buffer.from(crypto.getRandomValues(new Uint8Array(8)))])),
      sequence(ECDSA_WITH_SHA256),
      nameOf(`${this.name} authority`),
      sequence(timeOf(Date.now() - day), timeOf(Date.now() + day)),
      nameOf(subject),
      publicKey.export({ type: 'spki', format: 'der' }),
      der(
        0xa3,
        sequence(
          sequence(BASIC_CONSTRAINTS, der(0x04, sequence(isAuthority ? der(0x01, [0xff]) : []))),
          sequence(SUBJECT_ALT_NAME, der(0x04, sequence(name))),
        ),
      ),
    );
    const signature = der(0x03, [0], sign('sha256', body, this.#keys.privateKey));
    const text = sequence(body, sequence(ECDSA_WITH_SHA256), signature).toString('base64');
    return `-----BEGIN CERTIFICATE-----\n${text.match(/.{1,64}/g)!.join('\n')}\n-----END CERTIFICATE-----\n`;
  }
}

const ECDSA_WITH_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex');
const COMMON_NAME = Buffer.from('0603550403', 'hex');
const SUBJECT_ALT_NAME = Buffer.from('0603551d11', 'hex');
const BASIC_CONSTRAINTS = Buffer.from('0603551d13', 'hex');

function der(tag: number, ...parts: (Uint8Array | number[])[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const { length } = content;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...head), content]);
}

const sequence = (...parts: (Uint8Array | number[])[]): Buffer => der(0x30, ...parts);
const nameOf = (text: string): Buffer => sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(text)))));
const timeOf = (ms: number): Buffer =>
  der(0x17, Buffer.from(`${new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)}Z`));
