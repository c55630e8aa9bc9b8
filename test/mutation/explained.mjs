// Mutants that no test can kill, because what they change makes no difference. Each with its reason: the file, the
// changed line as `npm run mutations` shows it after the plus, and why.
const EXPLAINED = [];

const used = new Set();

/** Why a mutant survives; `undefined` for one that should not. */
export function explanationOf({ path, is }) {
  const found = EXPLAINED.find((each) => path.endsWith(`/${each.file}`) && each.is === is);
  if (found !== undefined) used.add(found);
  return found?.why;
}

/** Explanations of mutants that were killed, or are no more. */
export function unused(results) {
  const tried = (each) => results.some(({ path, is }) => path.endsWith(`/${each.file}`) && each.is === is);
  return EXPLAINED.filter((each) => tried(each) && !used.has(each));
}
