/**
 * The certificate files of a node: read at its start, and again whenever they change, as they do when they are renewed.
 * Called by the links. They are checked every two seconds: events of the file system do not report a file that is
 * replaced behind a symbolic link, as secrets of Kubernetes are, and `fs.watchFile` misses what happens before its
 * first check.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { TlsFiles } from '../../../../config/options.js';
import { FoundationConfigError } from '../../../../errors/config.errors.js';
import { describe } from '../../../../errors/describe.js';
import { Log } from '../../../../logging/log.js';

/** How often the files are checked, in milliseconds. */
const LOOK_EVERY_MS = 2000;

/** Certificate, key and authority as PEM. */
export interface Credentials {
  cert: Buffer;
  key: Buffer;
  ca: Buffer;
}

const PARTS = ['cert', 'key', 'ca'] as const;
const OPTION = { cert: 'certificateFile', key: 'keyFile', ca: 'caFile' } as const;

/**
 * Reads the files.
 *
 * @throws FoundationConfigError for one that cannot be read or used; it names the option and the file, not what is in
 * it.
 */
export function readCredentials(files: TlsFiles): Credentials {
  const credentials = textsOf(files);
  requireUsable(files, credentials);
  return credentials;
}

function textsOf(files: TlsFiles): Credentials {
  const [cert, key, ca] = PARTS.map((part) => {
    try {
      return readFileSync(files[OPTION[part]]);
    } catch (error) {
      throw new FoundationConfigError(`security.tls.${OPTION[part]}`, describe(error), 'a PEM file that can be read');
    }
  });
  return { cert: cert!, key: key!, ca: ca! };
}

function requireUsable(files: TlsFiles, credentials: Credentials): void {
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
}

/** OpenSSL passes over an authority that is cut off, and would then trust no peer. */
function requireCertificates(pem: Buffer): void {
  const blocks = pem.toString('latin1').split('-----BEGIN CERTIFICATE-----').slice(1);
  if (blocks.length === 0) throw new Error('no certificate in it');
  for (const block of blocks) new X509Certificate(`-----BEGIN CERTIFICATE-----${block}`);
}

/** See the file header. */
export class Certificates {
  #current: Credentials;
  /** As the files were last, usable or not. */
  #seen: Credentials;
  #complaint: string | undefined;
  readonly #logger = new Log();
  readonly #timer: NodeJS.Timeout;

  /** @throws FoundationConfigError as {@link readCredentials}. */
  constructor(
    private readonly files: TlsFiles,
    private readonly changed: (credentials: Credentials) => void,
    everyMs = LOOK_EVERY_MS,
  ) {
    this.#current = this.#seen = readCredentials(files);
    this.#timer = setInterval(() => this.#check(), everyMs).unref();
  }

  get current(): Credentials {
    return this.#current;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Files that are not complete, or do not belong together yet, change nothing; they will change again. */
  #check(): void {
    try {
      const next = textsOf(this.files);
      if (isSame(next, this.#seen)) return;
      this.#seen = next;
      requireUsable(this.files, next);
      this.#complaint = undefined;
      if (isSame(next, this.#current)) return;
      this.#current = next;
      this.changed(next);
      this.#logger.log('New certificates are used for new links', { file: this.files.certificateFile });
    } catch (error) {
      const { option, received, expected } = error as FoundationConfigError;
      if (received === this.#complaint) return;
      this.#complaint = received;
      this.#logger.warn('Ignored changed certificate files that cannot be loaded', {
        option,
        received,
        expected,
      });
    }
  }
}

function isSame(one: Credentials, other: Credentials): boolean {
  return PARTS.every((part) => one[part].equals(other[part]));
}
