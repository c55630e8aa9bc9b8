/**
 * A module of Foundation in the `imports` of a module of the application.
 */
import { apply, parse } from '../syntax/edits';
import { importEdits, localNameOf } from '../syntax/import.edits';
import { listEdits, listHas, modulesIn } from '../syntax/module.metadata';

export interface AddedModule {
  name: string;
  /** The entry of the package. */
  from: string;
  /** What comes behind the name in the list: `.forRoot(…)`. */
  call?: string;
}

/** The text with the module imported, and in the list; as it is where the list has it. */
export function addModule(path: string, text: string, into: string, { name, from, call = '' }: AddedModule): string {
  const source = parse(path, text);
  const declared = modulesIn(source).find((each) => each.name === into)!;
  const local = localNameOf(source, name, from) ?? name;
  if (listHas(source, declared.call, 'imports', local)) return text;
  return apply(text, [
    ...importEdits(source, name, from),
    ...listEdits(source, declared.call, 'imports', `${local}${call}`),
  ]);
}
