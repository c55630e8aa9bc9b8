// The dashboard in a real browser, on nodes that are processes of their own.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, historyNow } from 'nestjs-foundation/testing';
import type { Browser, Locator, Page } from 'playwright-core';
import { findChromium, startChromium } from '../support/browser.js';
import { TestCluster } from '../support/cluster.js';
import { msBetween } from '../support/history.time.js';
import { ENV } from '../support/node.protocol.js';
import { secret } from '../support/secrets.js';

const NAMES = ['a', 'b', 'c'];
const TOKEN = secret('the token of the dashboard in a browser');
const HOSTILE = '<img onerror>';
const HOSTILE_NAME = '<img src=x onerror=alert(1)>';
const PATIENCE = { timeout: 20_000 };
/**
 * From the event of the node that serves the page, until the page shows it: a safety limit, the time itself is printed.
 */
const SEEN_MS = 10_000;
const LIMIT_MS = 15_000;

/** In the page: counts the overviews that it hears. */
const COUNTING = `
  const add = EventSource.prototype.addEventListener;
  window.overviews = 0;
  EventSource.prototype.addEventListener = function (event, ...rest) {
    if (event === 'overview') add.call(this, event, () => (window.overviews += 1));
    return add.call(this, event, ...rest);
  };`;

const chromium = findChromium();
if (chromium === undefined) {
  console.error('NO CHROMIUM: the dashboard is not looked at. apt-get install chromium, or FOUNDATION_TEST_CHROMIUM=…');
}

(chromium === undefined ? describe.skip : describe)('the dashboard in a browser', () => {
  let cluster: TestCluster;
  let browser: Browser;
  let page: Page;
  let port: number;
  /** What the browser complained of; failed requests, which a restart brings, are not of interest. */
  const complaints: string[] = [];

  beforeAll(async () => {
    cluster = await TestCluster.open({ processes: 'steady,slow', env: { [ENV.dashboard]: TOKEN } });
    browser = await startChromium(chromium!);
    await cluster.start(['a', 'b']);
    await cluster.start(['c'], { FOUNDATION_LABELS: `zone=${HOSTILE},role=worker` });
    await cluster.members(NAMES);
    port = await cluster.node('a').ask('port');
    page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.addInitScript(COUNTING);
    page.on('dialog', (dialog) => {
      complaints.push(`A dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('pageerror', (error) => complaints.push(`An error: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        complaints.push(message.text());
    });
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await cluster?.close();
  });

  const card = (name: string): Locator =>
    page.locator('#node-list > li').filter({ has: page.getByRole('heading', { name, exact: true }) });
  const row = (name: string): Locator =>
    page.locator('#process-list > tr').filter({ has: page.getByText(name, { exact: true }) });
  const confirm = async (): Promise<void> => {
    await page.locator('#ask-yes').click();
    await page.locator('#ask').waitFor({ state: 'hidden', ...PATIENCE });
  };
  const shows = (locator: Locator, text: string): Promise<void> => locator.filter({ hasText: text }).waitFor(PATIENCE);
  const hasEpoch = (epoch: number): Promise<void> =>
    row('steady').locator(`[title="epoch ${epoch}"]`).waitFor(PATIENCE);
  const overviews = (): Promise<number> => page.evaluate<number>('overviews');
  const isLive = (): Promise<void> => page.locator('#connection', { hasText: /^live$/ }).waitFor(PATIENCE);

  it('lets in who knows the token, and shows every node', async () => {
    await page.goto(`http://127.0.0.1:${port}/foundation`);
    await page.getByLabel('Access token').fill('not the token, by no means');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await shows(page.locator('#login-error'), 'Invalid token');
    await page.getByLabel('Access token').fill(TOKEN);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await isLive();
    for (const name of NAMES) await shows(card(name), 'up');
    await shows(page.locator('#app'), 'e2e');
    await shows(row('steady'), 'running');
  });

  it('shows hostile texts as texts', async () => {
    await cluster.node('a').ask('startExtra', HOSTILE_NAME);
    await shows(card('c'), `zone: ${HOSTILE}`);
    await row(HOSTILE_NAME).waitFor(PATIENCE);
    expect(await page.locator('img').count()).toBe(0);
  });

  it('fits on a phone', async () => {
    const window = page.viewportSize()!;
    await page.setViewportSize({ width: 375, height: 812 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375);
    await page.setViewportSize(window);
  });

  it('moves and restarts a process', async () => {
    const { node, epoch } = await cluster.owner('steady');
    const to = NAMES.find((name) => name !== node)!;
    await row('steady').getByRole('button', { name: 'Move' }).click();
    await page.locator('#ask-node').selectOption(to);
    await confirm();
    const moved = await cluster.owner('steady', { above: epoch });
    expect(moved.node).toBe(to);
    await hasEpoch(moved.epoch);

    await row('steady').getByRole('button', { name: 'Restart' }).click();
    await confirm();
    const restarted = await cluster.owner('steady', { above: moved.epoch });
    await hasEpoch(restarted.epoch);
  });

  it('keeps focus and text over the updates', async () => {
    await page.locator('#filter').fill('stea');
    await row('slow').waitFor({ state: 'detached', ...PATIENCE });
    const before = await overviews();
    await eventually(async () => (await overviews()) > before + 2, PATIENCE);
    expect(await page.evaluate('document.activeElement.id')).toBe('filter');
    expect(await page.locator('#filter').inputValue()).toBe('stea');
    await page.locator('#filter').fill('');
  });

  it('shows a node that was killed, and why nothing moves there', async () => {
    const { node: owner } = await cluster.owner('steady');
    const victim = ['b', 'c'].find((name) => name !== owner)!;
    await row('steady').getByRole('button', { name: 'Move' }).click();
    await page.locator('#ask-node').selectOption(victim);

    const killedAt = await cluster.node(victim).kill();
    // Silent at first, then suspected; once its time is over it is a grey card.
    const state = card(victim).locator('[data-part=state]');
    await state.filter({ hasNotText: /^up$/ }).waitFor({ timeout: LIMIT_MS });
    const visibleAt = historyNow();
    await page.locator('#node-list > li.gone').filter({ hasText: victim }).waitFor({ timeout: LIMIT_MS });
    const seenAt = historyNow();
    const detected = await cluster.event({ event: 'cluster.node_left', node: 'a', after: killedAt });
    const [visible, overall] = [msBetween(killedAt, visibleAt), msBetween(killedAt, seenAt)];
    const after = msBetween(detected.at, seenAt);
    console.log(
      `SIGKILL visible after ${visible.toFixed(0)} ms; gone from the page after ${overall.toFixed(0)} ms, ` +
        `${after.toFixed(0)} ms after its detection`,
    );
    expect(after).toBeLessThan(SEEN_MS);
    expect(overall).toBeLessThan(LIMIT_MS);
    await shows(page.locator('#tile-nodes-note'), '1 gone');
    await shows(page.locator('#event-list > li').filter({ hasText: 'cluster.node_left' }), victim);

    // The dialog is still the one that was opened.
    expect(await page.locator('#ask-node').inputValue()).toBe(victim);
    await page.locator('#ask-yes').click();
    await shows(page.locator('#ask-error'), 'it is no member');
    await page.keyboard.press('Escape');
    await page.locator('#ask').waitFor({ state: 'hidden', ...PATIENCE });
    await cluster.start([victim]);
    await shows(card(victim), 'up');
    await page.locator('#node-list > li.gone').waitFor({ state: 'detached', ...PATIENCE });
  });

  it('survives a restart of the server that serves it', async () => {
    await cluster.node('a').kill();
    await shows(page.locator('#connection'), 'reconnecting');
    await page.locator('#age', { hasText: /data \d+ s old/ }).waitFor(PATIENCE);
    await cluster.start(['a'], { [ENV.port]: String(port) });
    await isLive();
    for (const name of NAMES) await shows(card(name), 'up');
  });

  it('drains a node, and lets it take work again', async () => {
    const { node } = await cluster.owner('steady');
    await card(node).getByRole('button', { name: 'Drain' }).click();
    await confirm();
    await shows(card(node), 'draining');
    const next = await cluster.owner('steady', { not: node });
    await hasEpoch(next.epoch);

    await card(node).getByRole('button', { name: 'Undrain' }).click();
    await shows(page.locator('#ask-title'), `Undrain ${node}?`);
    await confirm();
    await shows(page.locator('#toast'), `${node} takes work again`);
    await shows(card(node).locator('.badge'), 'up');
    expect(await card(node).getByRole('button').getAttribute('aria-label')).toBe(`Drain ${node}`);
  });

  it('makes the browser complain of nothing', () => {
    expect(complaints).toEqual([]);
    expect(cluster.violations()).toEqual([]);
  });
});
