// A test that is killed, or forgets to stop its cluster. It says which processes it has started, and then waits, ends
// or throws, as its argument says; as `worker` it is the child of a runner, which says the same.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { TestCluster } from 'nestjs-foundation/testing';

const [how = 'waits'] = process.argv.slice(2);

if (how === 'runner') {
  const worker = fork(import.meta.filename, ['waits'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  console.log(`worker ${worker.pid}`);
} else {
  const cluster = await TestCluster.start({ nodes: 2, entry: join(import.meta.dirname, 'shop.js') });
  const [first, second] = cluster.nodes;
  await second!.freeze();
  console.log(JSON.stringify({ pids: [first!.pid, second!.pid, cluster.redis.pid], folder: cluster.redis.folder }));
  if (how === 'waits') setInterval(() => undefined, 1000);
  if (how === 'throws') throw new Error('The test fails');
}
