// A cluster that the dashboard has something to show of, and a browser in front of it: for the test and the pictures.
import { join } from 'node:path';
import { TestCluster } from 'nestjs-foundation/testing';
import { findChromium, startChromium } from '../../dist/test/support/browser.js';

export const TOKENS = { operator: 'a token of the storefront', viewer: 'a token that looks on' };
export const NODES = ['shop-1', 'shop-2', 'shop-3'];
const RELEASES = { 'shop-3': '1.3.0' };

/** Starts it, has `work` look at it, and ends all of it. */
export async function withStorefront(work) {
  const chromium = findChromium();
  if (chromium === undefined)
    throw new Error('There is no Chromium. Install one, or name it: FOUNDATION_TEST_CHROMIUM');
  const cluster = await TestCluster.start({
    nodes: NODES,
    entry: join(import.meta.dirname, '../../dist/test/apps/storefront.js'),
    env: ({ name, index }) => ({
      ...{ SHOP_TOKEN: TOKENS.operator, SHOP_READ_ONLY_TOKEN: TOKENS.viewer },
      ...{ FOUNDATION_RELEASE: RELEASES[name] ?? '1.2.0', FOUNDATION_LABELS: `zone=eu-${index + 1}` },
    }),
  });
  try {
    const browser = await startChromium(chromium);
    try {
      return await work({ cluster, browser });
    } finally {
      await browser.close();
    }
  } finally {
    await cluster.stop();
  }
}

/** A page that has signed in, and what the browser complained of. */
export async function signIn(browser, url, token, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on('dialog', (dialog) => {
    complaints.push(`A dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('pageerror', (error) => complaints.push(`An error: ${error.message}`));
  page.on('console', (message) => {
    const isRefusal = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !isRefusal) complaints.push(message.text());
  });
  await page.goto(`${url}/foundation`);
  await page.locator('#token').fill(token);
  await page.locator('#login-form button').click();
  await page
    .locator('#node-list > li')
    .nth(NODES.length - 1)
    .waitFor();
  return { page, complaints };
}

/** Waits until figures of calls are there, and opens the charts of a method. */
export async function openCharts(page, method) {
  const row = page.locator('#work-list > tr').filter({ has: page.getByText(method, { exact: true }) });
  await row.getByRole('button', { name: `Charts of ${method}` }).click();
  await page.locator('#work-rates canvas').waitFor();
  await page.locator('#work-times canvas').waitFor();
  return row;
}
