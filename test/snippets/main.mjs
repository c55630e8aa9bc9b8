// `npm run docs:snippets`: every snippet of the documentation, against the built package. Prints what is wrong with
// its place. What is marked `run` is compiled here and run by test/e2e/snippets.spec.ts, which has a Redis.
import { compile } from './compile.mjs';
import { modulesOf } from './modules.mjs';
import { fencesOfPages } from './pages.mjs';
import { problemsOf } from './texts.mjs';

const fences = fencesOfPages();
const modules = modulesOf(fences);
const problems = [...problemsOf(fences), ...compile(modules)];
for (const problem of problems) console.error(problem);
console.log(`${fences.length} fences, ${modules.length} modules: ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
