/**
 * The name that is given to a schematic, as the names of file, class and process.
 */
import { posix } from 'node:path';
import { Refusal } from '../refusal';

export interface Names {
  /** The folder that the files go to. */
  folder: string;
  /** `price-feed`: of the file and of the process. */
  file: string;
  /** `PriceFeed`. */
  type: string;
}

export interface NameOptions {
  name?: string;
  path?: string;
  flat?: boolean;
}

const WORD = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const FOLDER = /^(?:[A-Za-z0-9_.@-]+\/)*$/;
const MAX_LENGTH = 100;
const RESERVED = new Set(
  `break case catch class const continue debugger default delete do else enum export extends false finally for function
  if import in instanceof new null return super switch this throw true try typeof var void while with implements
  interface let package private protected public static yield async await any boolean never number object string symbol
  undefined unknown`.split(/\s+/),
);
const ADVICE = 'give it letters of a to z, digits and hyphens, as in price-feed or billing/price-feed';

/**
 * As the generators of Nest: what is before the last slash is a folder, and unless `flat` the files get one of their
 * own.
 *
 * @param suffix of the class, such as `Service`.
 * @param taken names that the new file imports.
 */
export function namesOf(sourceRoot: string, options: NameOptions, suffix: string, taken: readonly string[]): Names {
  const given = options.name ?? '';
  const shown = JSON.stringify(given);
  if (given.trim() === '') throw new Refusal('The name is empty', ADVICE);
  const at = given.lastIndexOf('/') + 1;
  const [before, last] = [given.slice(0, at), given.slice(at)];
  const folder = `${options.path ?? ''}/`.replace(/^\/$/, '');
  if (before.startsWith('/') || !FOLDER.test(before) || `${folder}${before}`.split('/').includes('..')) {
    throw new Refusal(`${shown} leads to no folder of this application`, ADVICE);
  }
  const file = kebab(last);
  if (!WORD.test(file) || file.length > MAX_LENGTH)
    throw new Refusal(`${shown} is no name for a file and a class`, ADVICE);
  if (RESERVED.has(file)) throw new Refusal(`${shown} is a reserved word of TypeScript`, 'choose another name');
  const type = file.replace(/(?:^|-)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()) + suffix;
  if (type in globalThis || taken.includes(type)) {
    throw new Refusal(`A class for ${shown} would be called ${type}, which is something else`, 'choose another name');
  }
  const target = posix.join(sourceRoot, folder, kebab(before));
  return { folder: options.flat === true ? target : posix.join(target, file), file, type };
}

/** `PriceFeed`, `price feed` and `price_feed` as `price-feed`. */
function kebab(text: string): string {
  return text
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/[\s_]+/g, '-')
    .toLowerCase();
}
