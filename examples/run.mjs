// `npm run example -- 01-cron-once`: three nodes of an example side by side, each line with the name of its node. They
// use the Redis at FOUNDATION_REDIS_URL, else the one on 127.0.0.1:6379, else one for development is started there.
// `--nodes 2` starts two. Ctrl-C ends them in order.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const here = import.meta.dirname;
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { nodes: { type: 'string', default: '3' }, entry: { type: 'string', default: 'src/main.js' } },
});
const all = readdirSync(here).filter((name) => /^\d/.test(name));
const name = all.find((each) => each === positionals[0] || each.startsWith(`${positionals[0]}-`));
if (name === undefined) {
  console.error(`Which one? npm run example -- NAME, where NAME is one of\n  ${all.join('\n  ')}`);
  process.exit(2);
}
const entry = join(here, '../dist/examples', name, values.entry);
if (!existsSync(entry)) throw new Error(`${entry} is missing. Run: npm run build:examples`);

const nodes = Array.from({ length: Number(values.nodes) }, (_, index) => {
  const node = `node-${index + 1}`;
  const PORT = process.env.PORT ?? String(3001 + index);
  const FOUNDATION_APP_NAME = process.env.FOUNDATION_APP_NAME ?? name.replace(/^\d+-/, '');
  const env = { ...process.env, NO_COLOR: '1', FOUNDATION_APP_NAME, FOUNDATION_NODE_NAME: node, PORT };
  const child = spawn(process.execPath, [entry], { cwd: join(here, name), env, stdio: ['ignore', 'pipe', 'pipe'] });
  console.log(`${node} | process ${child.pid}, http://127.0.0.1:${PORT}`);
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => console.log(`${node} | ${line}`));
  }
  child.once('exit', (code, signal) => console.log(`${node} | ended with ${signal ?? code}`));
  return child;
});
// The nodes get the Ctrl-C of a terminal, too: this only waits for them.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    if (signal === 'SIGTERM') for (const child of nodes) child.kill(signal);
  });
}
