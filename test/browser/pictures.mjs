// `npm run docs:pictures`: the pictures of the dashboard in docs/images, of a cluster that runs for half a minute.
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openCharts, signIn, TOKENS, withStorefront } from './storefront.mjs';

const IMAGES = resolve(import.meta.dirname, '../../docs/images');
/** So long that charts have several points. */
const RUNS_MS = 40_000;

await withStorefront(async ({ cluster, browser }) => {
  await delay(RUNS_MS);
  for (const colorScheme of ['light', 'dark']) {
    const { page } = await signIn(browser, cluster.node('shop-1').url, TOKENS.operator, { colorScheme });
    await openCharts(page, 'orders.place');
    await page.locator('#process-list').getByText('orders', { exact: true }).waitFor();
    await page.evaluate(() => globalThis.scrollTo(0, 0));
    // The next overview has rates, and the charts are drawn once more.
    await delay(6000);
    await page.screenshot({ path: join(IMAGES, `dashboard-${colorScheme}.png`), fullPage: true });
    console.log(`Wrote dashboard-${colorScheme}.png`);
  }
});
