// `npm run test:browser`: what only a browser sees of the dashboard: charts, the dialog that looks into a process or a
// service, the history of a group, and the page of who may look and not act.
import assert from 'node:assert/strict';
import { eventually } from 'nestjs-foundation/testing';
import { openCharts, signIn, TOKENS, withStorefront } from './storefront.mjs';

const named = async (what, work) => {
  await work();
  console.log(`ok  ${what}`);
};

await withStorefront(async ({ cluster, browser }) => {
  const { url } = cluster.node('shop-1');
  const { page, complaints } = await signIn(browser, url, TOKENS.operator);
  const rowOf = (list, name) =>
    page
      .locator(`#${list} > tr`)
      .filter({ has: page.getByText(name, { exact: true }) })
      .first();
  const text = (id) => page.locator(`#${id}`).innerText();
  const shows = (id, wanted) => page.locator(`#${id}`).filter({ hasText: wanted }).waitFor();
  const call = async (args) => {
    await page.locator('#look-args').fill(args);
    await page.locator('#look-yes').click();
  };

  await named('a chart has lines where there were calls, and follows them', async () => {
    const row = await openCharts(page, 'orders.place');
    assert.match(await text('work-charts-title'), /orders\.place/);
    assert.deepEqual(await page.locator('#work-rates .u-series .u-label').allInnerTexts(), [
      ...['Time', 'per second', 'errors'],
    ]);
    assert.deepEqual(await page.locator('#work-times .u-series .u-label').allInnerTexts(), [
      'Time',
      'p50',
      'p95',
      'p99',
    ]);
    // Pixels of the colours of the lines, not only those of axes and the grid.
    const colors = (id) =>
      page.locator(`#${id} canvas`).evaluate((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        let found = 0;
        for (let at = 0; at < data.length; at += 4) {
          const [red, green, blue, alpha] = data.slice(at, at + 4);
          if (alpha > 128 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) found += 1;
        }
        return found;
      });
    // The first points come when a bucket of figures is over.
    for (const id of ['work-rates', 'work-times'])
      await eventually(async () => (await colors(id)) > 20, { timeout: 60_000, what: `A line in ${id}` });
    const before = await page.locator('#work-rates canvas').evaluate((canvas) => canvas.toDataURL());
    await page.waitForFunction(
      (before) => globalThis.document.querySelector('#work-rates canvas').toDataURL() !== before,
      before,
    );
    assert.equal(await row.getByRole('button').getAttribute('aria-expanded'), 'true');
    await page.locator('#work-close').click();
    await page.locator('#work-charts').waitFor({ state: 'hidden' });
  });

  await named('a look shows what a process says as text, calls its methods, and says what went wrong', async () => {
    await rowOf('process-list', 'orders').getByRole('button', { name: 'Look into orders' }).click();
    await page.locator('#look-state').waitFor();
    const state = JSON.parse(await text('look-state'));
    assert.equal(state.note, '<b>not bold</b>');
    assert.match(await text('look-note'), /^On shop-\d\./);
    assert.deepEqual(await page.locator('#look-method option').allInnerTexts(), ['place']);
    await call('[5]');
    await page.locator('#look-result').waitFor();
    assert.ok(Number(await text('look-result')) > state.orders);
    await call('what');
    await shows('look-error', 'as a list in JSON');
    await page.locator('#look-result').waitFor({ state: 'hidden' });
    await call('[-1]');
    await shows('look-error', 'an order of nothing');
    await page.locator('#look-again').click();
    await page.waitForFunction(
      (orders) => JSON.parse(globalThis.document.querySelector('#look-state').textContent).orders > orders,
      state.orders,
    );
    await page.locator('#look-close').click();
    await page.locator('#look').waitFor({ state: 'hidden' });
    await rowOf('process-list', 'billing').getByRole('button', { name: 'Look into billing' }).click();
    await shows('look-note', 'Its class has no inspect()');
    await page.keyboard.press('Escape');
    await page.locator('#look').waitFor({ state: 'hidden' });
  });

  await named('a look into a service calls the instance of that row', async () => {
    await page.getByRole('button', { name: 'Look into stock on shop-2' }).click();
    await page.locator('#look-state').waitFor();
    assert.match(await text('look-note'), /^On shop-2\./);
    assert.deepEqual(JSON.parse(await text('look-state')), { articles: 3 });
    await call('["tea"]');
    await shows('look-result', '"7 of tea"');
    await page.locator('#look-close').click();
  });

  await named(
    'the partitions of a process are a line that opens, and leads to the history of all of them',
    async () => {
      const group = rowOf('process-list', 'accounts');
      await group.getByRole('button', { name: '12 partitions of accounts' }).click();
      await rowOf('process-list', 'accounts/11').waitFor();
      await group.getByRole('link', { name: 'accounts', exact: true }).click();
      await page.locator('#history-list > tr').nth(11).waitFor();
      assert.equal(await page.locator('#history-form [name=process]').inputValue(), 'accounts');
      await page.locator('#history-form [name=process]').fill('');
      await page.locator('#history-form [name=kind]').selectOption('release.*');
      await shows('history-list', 'release 1.3.0');
      assert.deepEqual(await page.locator('#history-list [data-part=kind]').allInnerTexts(), [
        ...['release.deployed', 'release.deployed'],
      ]);
      await page.locator('#history .back').click();
      await page.locator('#process-list').waitFor();
    },
  );

  await named('who shows the read-only token sees all of it, and no button that acts', async () => {
    const { page: viewer, complaints: more } = await signIn(browser, url, TOKENS.viewer);
    await viewer.locator('.viewers-only').waitFor();
    await openCharts(viewer, 'orders.place');
    assert.ok((await viewer.locator('.acts').count()) > 10);
    assert.equal(await viewer.locator('.acts:visible').count(), 0);
    const verbs = /^(Drain|Undrain|Look|Move|Restart|Run now|Call)$/;
    assert.deepEqual(
      (await viewer.locator('button:visible').allInnerTexts()).filter((verb) => verbs.test(verb)),
      [],
    );
    // Nor does the page have another way: the server refuses.
    const status = await viewer.evaluate(async () => {
      const headers = { 'content-type': 'application/json', 'x-foundation-dashboard': '1' };
      const body = JSON.stringify({ process: 'orders' });
      const paths = ['restart', 'processes/inspect', 'processes/call', 'services/inspect', 'services/call'];
      const ask = (path) => globalThis.fetch(`/foundation/${path}`, { method: 'POST', headers, body });
      return (await Promise.all(paths.map(ask))).map(({ status }) => status);
    });
    assert.deepEqual(status, [403, 403, 403, 403, 403]);
    await viewer.locator('.to-history').click();
    await viewer.locator('#history-list > tr').first().waitFor();
    assert.deepEqual(more, []);
  });

  assert.deepEqual(complaints, []);
  await named('the browser complained of nothing', () => undefined);
});
