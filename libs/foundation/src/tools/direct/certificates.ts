/**
 * The certificate files of a node: read at its start, and anew whenever they change, as they do when they are renewed.
 * Called by the links; underneath `fs.watchFile`, which also sees a file that is replaced behind a symbolic link, as secrets
 * of Kubernetes are.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { Logger } from '@nestjs/common';
import type { TlsFiles } from '../../config/options.js';
import { FoundationConfigError, describe } from '../../errors.js';

/** How often the files are looked at, in milliseconds. */
const LOOK_EVERY_MS = 2000;

/** Certificate, key and authority as PEM. */
export interface Credentials {
  cert: Buffer;
  key: Buffer;
  ca: Buffer;
}

/**
 * Reads the files.
 *
 * @throws FoundationConfigError for one that cannot be read or used; it names the option and the file, not what is in it.
 */
export function readCredentials(files: TlsFiles): Credentials {
  const read = (option: keyof TlsFiles): Buffer => {
    try {
      return readFileSync(files[option]);
    } catch (error) {
      throw new FoundationConfigError(`security.tls.${option}`, describe(error), 'a PEM file that can be read');
    }
  };
  const credentials = { cert: read('certificateFile'), key: read('keyFile'), ca: read('caFile') };
  const check = (option: keyof TlsFiles, expected: string, use: () => unknown): void => {
    try {
      use();
    } catch (error) {
      throw new FoundationConfigError(`security.tls.${option}`, `${files[option]} (${describe(error)})`, expected);
    }
  };
  check('certificateFile', 'certificates as PEM, complete', () => requireCertificates(credentials.cert));
  check('caFile', 'certificates as PEM, complete', () => requireCertificates(credentials.ca));
  check('keyFile', 'the private key of the certificate as PEM', () => createSecureContext(credentials));
  return credentials;
}

/** OpenSSL passes over an authority that is cut off, and would then trust nobody. */
function requireCertificates(pem: Buffer): void {
  const blocks = pem.toString('latin1').split('-----BEGIN CERTIFICATE-----').slice(1);
  if (blocks.length === 0) throw new Error('no certificate in it');
  for (const block of blocks) new X509Certificate(`-----BEGIN CERTIFICATE-----${block}`);
}

/** See the file header. */
export class Certificates {
  #current: Credentials;
  #complaint: string | undefined;
  readonly #logger = new Logger('Foundation');
  readonly #look = (): void => this.#renew();

  /** @throws FoundationConfigError as {@link readCredentials}. */
  constructor(
    private readonly files: TlsFiles,
    private readonly changed: (credentials: Credentials) => void,
    everyMs = LOOK_EVERY_MS,
  ) {
    this.#current = readCredentials(files);
    const options = { persistent: false, interval: everyMs };
    for (const file of this.#all()) watchFile(file, options, this.#look);
  }

  get current(): Credentials {
    return this.#current;
  }

  close(): void {
    for (const file of this.#all()) unwatchFile(file, this.#look);
  }

  #all(): Set<string> {
    return new Set([this.files.certificateFile, this.files.keyFile, this.files.caFile]);
  }

  /** Files that are not complete, or do not belong together yet, change nothing; they will change again. */
  #renew(): void {
    try {
      const next = readCredentials(this.files);
      this.#complaint = undefined;
      if ((['cert', 'key', 'ca'] as const).every((part) => next[part].equals(this.#current[part]))) return;
      this.#current = next;
      this.changed(next);
      this.#logger.log('New certificates are used for new links', { file: this.files.certificateFile });
    } catch (error) {
      const { option, received, expected } = error as FoundationConfigError;
      if (received === this.#complaint) return;
      this.#complaint = received;
      this.#logger.warn('Certificate files have changed and cannot be used; the certificates of before are', {
        option,
        received,
        expected,
      });
    }
  }
}
