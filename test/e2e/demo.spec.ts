// `npm run demo`: it ends by itself with a summary; with `--open` a page shows the nodes and kills them.
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from 'nestjs-foundation/testing';
import type { Browser, Locator, Page } from 'playwright-core';
import { findChromium, startChromium } from '../support/browser.js';

const MAIN = resolve(import.meta.dirname, '../../dist/sample-app/demo/main.js');
const PATIENCE = { timeout: 30_000 };

interface Demo {
  child: ChildProcess;
  readonly output: string;
  /** Its exit code. */
  ended: Promise<number | null>;
}

function startDemo(...flags: string[]): Demo {
  const child = spawn(process.execPath, [MAIN, ...flags], {
    env: { ...process.env, FOUNDATION_REDIS_URL: '', REDIS_URL: '', BROWSER: 'none' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const demo = {
    child,
    output: '',
    ended: new Promise<number | null>((done) => child.once('close', (code) => done(code))),
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (demo.output += text));
  }
  return demo;
}

describe('the demo', () => {
  it('kills the owner, sees the take-over and ends by itself', async () => {
    const demo = startDemo();
    const code = await demo.ended;
    expect(code === 0 ? '' : demo.output).toBe('');
    expect(demo.output).toMatch(/Failover +\d+ ms from the SIGKILL/);
    expect(demo.output).toMatch(/Overlaps +0 /);
  });

  it('refuses a page without an end and a summary at the end', async () => {
    const demo = startDemo('--open', '--json');
    expect(await demo.ended).toBe(2);
    expect(demo.output).toContain('leave out --json and --keep');
  });
});

const chromium = findChromium();

(chromium === undefined ? describe.skip : describe)('the page of the demo', () => {
  let demo: Demo;
  let browser: Browser;
  let page: Page;
  let owner: string;
  const complaints: string[] = [];

  beforeAll(async () => {
    demo = startDemo('--open');
    browser = await startChromium(chromium!);
    page = await browser.newPage({ viewport: { width: 1200, height: 900 }, colorScheme: 'dark' });
    page.on('pageerror', (error) => complaints.push(`An error: ${error.message}`));
    page.on('console', (message) => complaints.push(message.text()));
    const address = /until Ctrl-C: (http:\S+)/;
    await eventually(() => address.test(demo.output), { ...PATIENCE, lastSeen: () => demo.output });
    await page.goto(address.exec(demo.output)![1]!);
  });
  afterAll(async () => {
    await browser?.close();
    demo.child.kill('SIGINT');
    await demo.ended;
  });

  const card = (name: string): Locator =>
    page.locator('#nodes > li').filter({ has: page.getByRole('heading', { name }) });
  const runsOn = async (not = ''): Promise<string> => {
    const headline = page.getByRole('status');
    const isThere = async () => /^price-feed runs on node-(?!$)/.test((await headline.textContent()) ?? '');
    let node = '';
    await eventually(async () => {
      node = (await isThere()) ? (await headline.textContent())!.replace('price-feed runs on ', '') : '';
      return node !== '' && node !== not;
    }, PATIENCE);
    return node;
  };

  it('shows three nodes that live, the owner, and its ticks', async () => {
    for (const name of ['node-a', 'node-b', 'node-c']) {
      await card(name).getByText('alive', { exact: true }).waitFor(PATIENCE);
      await card(name).getByText('3 of 3', { exact: true }).waitFor(PATIENCE);
    }
    await runsOn();
    await page.locator('#price-note', { hasText: /^tick \d+ of node-/ }).waitFor(PATIENCE);
    await page
      .locator('#line polyline')
      .first()
      .waitFor({ state: 'attached', ...PATIENCE });
  });

  it('kills the owner, and shows who took over and after how long', async () => {
    // A hand-over to balance the load may come between the look and the click: then the next one is tried.
    await eventually(async () => {
      owner = await runsOn();
      await page.getByRole('button', { name: `kill -9 ${owner}` }).click();
      await card(owner).getByText('dead', { exact: true }).waitFor(PATIENCE);
      const next = await runsOn(owner);
      const row = page.locator('#takeovers > tr').filter({ hasText: new RegExp(`^${owner}${next}\\d+ ms`) });
      if ((await row.count()) > 0) return true;
      await page.getByRole('button', { name: `Start ${owner} again` }).click();
      return false;
    }, PATIENCE);
    await page.locator('#failover', { hasText: /^\d+\.\d\d s$/ }).waitFor(PATIENCE);
    expect(await page.locator('#line rect').count()).toBeGreaterThan(0);
  });

  it('fits on a phone, in either scheme, and moves nothing for who asked for that', async () => {
    await page.setViewportSize({ width: 375, height: 812 });
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375);
      const ground = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
      expect(ground).toBe(colorScheme === 'dark' ? 'rgb(14, 18, 23)' : 'rgb(245, 246, 248)');
    }
    expect(await page.evaluate(`getComputedStyle(document.querySelector('button')).transitionProperty`)).toBe('none');
  });

  it('starts it again from the keyboard, and keeps the focus', async () => {
    await page.getByRole('button', { name: `Start ${owner} again` }).focus();
    await page.keyboard.press('Enter');
    await card(owner).getByText('3 of 3', { exact: true }).waitFor(PATIENCE);
    expect(await page.evaluate('document.activeElement.textContent')).toBe(`kill -9 ${owner}`);
    expect(await page.evaluate(`getComputedStyle(document.activeElement).outlineStyle`)).toBe('solid');
  });

  it('says that the demo has ended, and the browser complained of nothing', async () => {
    demo.child.kill('SIGINT');
    await page.getByText('the demo has ended').waitFor(PATIENCE);
    expect(await demo.ended).toBe(0);
    expect(complaints).toEqual([]);
  });
});
