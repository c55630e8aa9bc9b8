// `npm run test:browser`: two nodes with gateways, and a browser with a page of each, which speak to each other over
// socket.io. Apart from `npm test`, because it needs a Chromium: the one on the PATH, or what FOUNDATION_TEST_CHROMIUM
// names.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { TestCluster } from 'nestjs-foundation/testing';
import { findChromium, startChromium } from '../../dist/test/support/browser.js';

const chromium = findChromium();
if (chromium === undefined) throw new Error('There is no Chromium. Install one, or name it: FOUNDATION_TEST_CHROMIUM');
const entry = join(import.meta.dirname, '../../dist/test/apps/sockets.js');
const cluster = await TestCluster.start({ nodes: ['a', 'b'], entry });
const browser = await startChromium(chromium);
try {
  /** A page that is connected to the node, and keeps what it hears. */
  const open = async ({ url }, transports) => {
    const page = await browser.newPage();
    // Of the origin of the node, so that no other one has to be allowed.
    await page.goto(`${url}/socket.io/socket.io.js`);
    await page.addScriptTag({ url: `${url}/socket.io/socket.io.js` });
    await page.evaluate(async (transports) => {
      globalThis.heard = [];
      globalThis.socket = globalThis.io({ transports });
      globalThis.socket.onAny((...args) => globalThis.heard.push(args));
      await new Promise((resolve) => globalThis.socket.once('connect', resolve));
      await globalThis.socket.timeout(10_000).emitWithAck('join', 'tea');
    }, transports);
    return page;
  };
  const heard = (page, event) =>
    page.waitForFunction((event) => globalThis.heard.some(([each]) => each === event), event, { timeout: 10_000 });
  const [a, b] = ['a', 'b'].map((name) => cluster.node(name));
  const [one, two] = [await open(a, ['websocket']), await open(b, ['polling', 'websocket'])];
  while ((await a.get('Verbs').servers()) < 2);
  await a.get('Verbs').toRoom('tea', 'hello');
  await Promise.all([heard(one, 'hello'), heard(two, 'hello')]);
  await b.kill();
  await two.waitForFunction(() => globalThis.socket.disconnected, undefined, { timeout: 10_000 });
  const { value, error } = await a.get('Verbs').fetch(30_000);
  assert.equal(error, undefined);
  assert.deepEqual(value, [await one.evaluate(() => globalThis.socket.id)]);
  await a.get('Verbs').toRoom('tea', 'still here');
  await heard(one, 'still here');
  console.log('Two pages heard each other, and one goes on alone.');
} finally {
  await browser.close();
  await cluster.stop();
}
