/**
 * `npm run demo -- --open`: the nodes, a page that shows them and kills them, until Ctrl-C. The viewer tells the story.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Cluster } from './cluster.js';
import { type PageCommand, PageServer } from './page.server.js';
import { pageView } from './page.view.js';
import type { Table } from './table.js';
import { TickLine } from './tick.line.js';
import { monotonicMs } from './until.js';

/** The files are served from the sources: the demo runs in a checkout. */
const FOLDER = join(import.meta.dirname, '../../../sample-app/demo/page');
const TAKE_EVERY_MS = 100;

/** What it shows besides the nodes. */
export interface PageStory {
  redis: string;
  singleton: string;
}

/** Resolves when `signal` is aborted and the page is closed. */
export async function openPage(cluster: Cluster, story: PageStory, table: Table, signal: AbortSignal): Promise<void> {
  const line = new TickLine();
  const taking = setInterval(() => {
    for (const { status } of cluster.nodes) if (status !== undefined) line.take(status.ticks.last, monotonicMs());
  }, TAKE_EVERY_MS);
  const server = new PageServer(
    {
      view: () => {
        const { nodes, happenings } = cluster;
        return pageView(nodes, { ...story, happenings, line: line.ticks, now: monotonicMs() });
      },
      command: (command) => carryOut(cluster, command, table),
    },
    FOLDER,
  );
  const url = await server.listen();
  try {
    cluster.start();
    table.say(`the page of this demo, until Ctrl-C: ${url}`);
    table.show(cluster.nodes);
    openBrowser(url);
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    clearInterval(taking);
    await server.close();
  }
}

/** Ends and starts nodes of this demo, and nothing else: a pid of the page is compared, never used. */
function carryOut(cluster: Cluster, { action, node: name, pid }: PageCommand, table: Table): string | undefined {
  const node = cluster.nodes.find((candidate) => candidate.name === name);
  if (node === undefined) return 'There is no such node.';
  if ((node.pid ?? null) !== pid) return `${node.name} is in another life by now.`;
  if (action === 'kill' && pid === null) return `${node.name} is dead already.`;
  if (action === 'start' && pid !== null) return `${node.name} runs already.`;
  table.say(action === 'kill' ? `kill -9 ${node.name}, from the page` : `starting ${node.name} again, from the page`);
  if (action === 'kill') void cluster.kill(node);
  else node.start();
  return undefined;
}

/** The default browser, where there is one; a variable `BROWSER=none` says that there is none. */
function openBrowser(url: string): void {
  const [command, ...args] = openerOf(process.platform, process.env);
  if (command === undefined) return;
  const child = spawn(command, [...args, url], { detached: true, stdio: 'ignore' });
  child.once('error', () => undefined); // the address is printed anyway
  child.unref();
}

/** Pure: the command that opens an address, or none. */
export function openerOf(platform: NodeJS.Platform, env: NodeJS.ProcessEnv): string[] {
  if (env['BROWSER'] === 'none') return [];
  if (platform === 'darwin') return ['open'];
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler'];
  const hasScreen = Boolean(env['DISPLAY'] ?? env['WAYLAND_DISPLAY']);
  return hasScreen ? ['xdg-open'] : [];
}
