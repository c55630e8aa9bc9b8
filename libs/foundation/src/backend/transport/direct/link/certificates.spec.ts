import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Authority, type Issued } from '../../../../../../../test/support/certificates.js';
import { FoundationConfigError } from '../../../../errors/config.errors.js';
import { eventually } from '../../../../testing/eventually.js';
import { Certificates, readCredentials } from './certificates.js';

const authority = new Authority('ours');
const [one, two] = [authority.issue(), authority.issue()];

let folder: string;
let open: Certificates | undefined;
const warn = jest.fn();

const file = (name: string): string => join(folder, name);
const files = () => ({ certificateFile: file('cert'), keyFile: file('key'), caFile: file('ca') });
const write = ({ cert, key }: Issued): void => {
  writeFileSync(file('cert'), cert);
  writeFileSync(file('key'), key);
};

beforeEach(() => {
  warn.mockClear();
  Logger.overrideLogger({ log: () => undefined, error: () => undefined, warn });
  folder = mkdtempSync(join(tmpdir(), 'foundation-tls-'));
  writeFileSync(file('ca'), authority.cert);
  write(one);
});
afterEach(() => {
  open?.close();
  rmSync(folder, { recursive: true, force: true });
});

function watched(): { certificates: Certificates; changes: string[] } {
  const changes: string[] = [];
  open = new Certificates(files(), ({ cert }) => void changes.push(cert.toString()), 20);
  return { certificates: open, changes };
}

describe('readCredentials', () => {
  it.each([
    ['keyFile', 'key', undefined, /ENOENT/],
    ['keyFile', 'key', 'x', /key/],
    ['keyFile', 'key', two.key, /private key of the certificate/],
    ['certificateFile', 'cert', one.cert.slice(0, 300), /certificates as PEM/],
    ['caFile', 'ca', '', /no certificate in it/],
    ['caFile', 'ca', authority.cert + one.cert.slice(0, 300), /certificates as PEM/],
  ])('refuses a %s that is not one (%#), and shows nothing of it', (option, name, text, reason) => {
    rmSync(file(name));
    if (text !== undefined) writeFileSync(file(name), text);
    const read = (): unknown => readCredentials(files());
    expect(read).toThrow(FoundationConfigError);
    expect(read).toThrow(new RegExp(`security\\.tls\\.${option}.*${reason.source}`));
    expect(read).not.toThrow(/BEGIN|MIG/);
  });

  it('takes several authorities, as there are while one follows the other', () => {
    writeFileSync(file('ca'), new Authority('next').cert + authority.cert);
    expect(() => readCredentials(files())).not.toThrow();
  });
});

describe('Certificates', () => {
  it('are read again when the files change', async () => {
    const { certificates, changes } = watched();
    write(two);
    await eventually(() => changes.length > 0);
    expect(changes).toEqual([two.cert]);
    expect(certificates.current.key.toString()).toBe(two.key);
  });

  it('stay while a file is half-written or belongs to another, which is said once', async () => {
    const { certificates, changes } = watched();
    writeFileSync(file('key'), two.key.slice(0, 60));
    await eventually(() => warn.mock.calls.length === 1);
    writeFileSync(file('key'), `${two.key.slice(0, 60)}\n`);
    writeFileSync(file('cert'), two.cert.slice(0, 300));
    await eventually(() => warn.mock.calls.length === 2, { lastSeen: () => warn.mock.calls });
    expect(changes).toEqual([]);
    expect(certificates.current.cert.toString()).toBe(one.cert);
    expect(JSON.stringify(warn.mock.calls)).not.toMatch(/BEGIN|MIG/);
    write(two);
    await eventually(() => changes.length === 1);
  });

  it('are those of a new folder behind a symbolic link, as Kubernetes changes a secret', async () => {
    for (const [name, { cert, key }] of [
      ['first', one],
      ['second', two],
    ] as const) {
      mkdirSync(file(name));
      for (const [part, text] of [
        ['cert', cert],
        ['key', key],
        ['ca', authority.cert],
      ] as const)
        writeFileSync(join(file(name), part), text);
    }
    symlinkSync('first', file('..data'));
    for (const part of ['cert', 'key', 'ca']) {
      rmSync(file(part));
      symlinkSync(join('..data', part), file(part));
    }
    const { changes } = watched();
    symlinkSync('second', file('..new'));
    renameSync(file('..new'), file('..data'));
    await eventually(() => changes.length > 0);
    expect(changes).toEqual([two.cert]);
  });
});
