import { execute, look } from '../helpers/lab-page';
import { expect, test } from '../helpers/lab-test';
import type { LabscaleProject } from '../helpers/labscale-project';
import { greyPng } from '../helpers/picture-file';

test.use({ labName: 'parameters' });

/** A soft disc: what a filter of this width would leave of a sharp one. */
const disc = (sigma: number) => ({
  mediaType: 'image/png' as const,
  base64: greyPng(96, 64, (x, y) => 1 / (1 + Math.exp((Math.hypot(x - 48, y - 32) - 20) / (sigma * 3)))).toString(
    'base64'
  )
});

/** Three tuned sets of one analysis, of which the first has two versions, and a set of another. */
async function tunedSets(project: LabscaleProject) {
  for (let at = 1; at <= 4; at += 1) project.write({ [`scans/scan-${at}.txt`]: String(at) });
  await project.registerDataset('Scans', 'scans', 'scan-{scan}.txt');
  const analysis = await project.registerNotebook('segment.ipynb', {
    parameters: [
      'sigma = 1.5  # width of the filter in pixels',
      'threshold = 0.5  # cut, as a part of the brightest',
      'fill_holes = True  # count what an object encloses as object',
      'connectivity = 2'
    ].join('\n'),
    cells: ['import labscale\nlabscale.metric(dice=0.5)']
  });
  const values = { sigma: 1.5, threshold: 0.5, fill_holes: true, connectivity: 2 };
  const first = await project.saveParameters(analysis, {
    name: 'soft',
    values: { ...values, sigma: 2.5 },
    metrics: { dice: 0.741, seconds: 4.1 },
    thumbnail: disc(2.5)
  });
  await project.call('createParameterSetVersion', {
    params: { parameterSetId: first.id },
    body: {
      analysisVersionId: analysis.latestVersion.id,
      values,
      metrics: { dice: 0.803, seconds: 3.2 },
      thumbnail: disc(1.5)
    }
  });
  await project.saveParameters(analysis, {
    name: 'sharp',
    values: { ...values, sigma: 0.6, threshold: 0.35 },
    metrics: { dice: 0.868, seconds: 2.4 },
    tags: ['candidate'],
    thumbnail: disc(0.6)
  });
  await project.saveParameters(analysis, {
    name: 'open contours',
    values: { ...values, sigma: 1, fill_holes: false },
    metrics: { dice: 0.822, seconds: 1.9 },
    note: 'For slices at the edge of the scan.',
    thumbnail: disc(1)
  });
  const other = await project.registerNotebook('register.ipynb', { parameters: 'steps = 40', cells: ['steps'] });
  await project.saveParameters(other, { name: 'quick', values: { steps: 20 } });
}

test('sets are found, looked into, forked, compared, and made a default', async ({ page, project }) => {
  await tunedSets(project);
  const dialog = page.getByRole('dialog');
  const list = page.getByRole('tree', { name: 'Parameter sets by analysis' });
  const row = (name: string) => list.getByRole('treeitem', { name });
  const main = page.getByRole('main');
  await page.getByRole('tab', { name: 'Labscale' }).click();

  await test.step('the list says what differs and the metric; search takes names, tags and notes', async () => {
    await expect(row('soft')).toContainText('sigma 1.5');
    await expect(row('soft')).toContainText('v2');
    await expect(row('soft')).toContainText('dice 0.803');
    const search = page.getByRole('searchbox', { name: 'Search parameter sets' });
    for (const [text, found] of [
      ['quick', 'quick'],
      ['candidate', 'sharp'],
      ['edge of the scan', 'open contours']
    ] as const) {
      await search.fill(text);
      await expect(list.getByRole('treeitem', { level: 2 })).toHaveCount(1);
      await expect(row(found)).toBeVisible();
    }
    await search.fill('nowhere');
    await expect(page.getByText('No set fits this search.')).toBeVisible();
    await search.fill('');
    await expect(list.getByRole('treeitem', { level: 2 })).toHaveCount(4);
  });

  await test.step('a page shows values, metrics, picture and versions, and what changed between them', async () => {
    await row('soft').click();
    await expect(main.getByRole('heading', { name: 'soft' })).toBeVisible();
    await expect(main.getByRole('row', { name: /sigma/ })).toContainText('1.5');
    await expect(main.getByRole('row', { name: /sigma/ })).toContainText('was 2.5');
    await expect(main.getByRole('row', { name: /dice/ })).toContainText('0.803');
    await expect(main.getByRole('img', { name: 'Output that goes with these values' })).toBeVisible();
    await look(page, 'parameters');
    await main.getByRole('button', { name: /^Version 1/ }).click();
    await expect(main.getByRole('row', { name: /sigma/ })).toContainText('2.5');
    await expect(main.getByText('version 1 of 2')).toBeVisible();
    await main.getByRole('button', { name: /^Version 2/ }).click();
  });

  await test.step('a note is kept', async () => {
    const keep = main.getByRole('button', { name: 'Keep' });
    await expect(keep).toBeDisabled();
    await main.getByRole('textbox', { name: 'Note' }).fill('Smooth edges, small objects lost.');
    await keep.click();
    await expect(keep).toBeDisabled();
    const [kept] = (await project.call('listParameterSets', { query: { search: 'small objects lost' } })).items;
    expect(kept?.name).toBe('soft');
  });

  await test.step('a fork begins with the values of its parent', async () => {
    await main.getByRole('button', { name: 'Fork…' }).click();
    await dialog.getByLabel('Name', { exact: true }).fill('softer');
    await expect(dialog.getByLabel('threshold')).toHaveValue('0.5');
    await dialog.getByLabel('sigma').fill('2');
    await expect(dialog.getByText('was 1.5')).toBeVisible();
    await look(page, 'fork');
    await page.keyboard.press('Enter');
    await expect(dialog).toHaveCount(0);
    // Only what differs from the parent.
    await expect(row('softer')).toContainText('sigma 2');
    await expect(row('softer')).not.toContainText('threshold');
  });

  await test.step('three ticked sets are compared: columns only where they differ', async () => {
    for (const name of ['soft', 'sharp', 'open contours']) {
      await row(name).first().hover();
      await list.getByRole('checkbox', { name: `Compare ${name}`, exact: true }).check();
    }
    await page.getByRole('button', { name: 'Compare the ticked sets (at least two)' }).click();
    await expect(main.getByRole('heading', { name: '3 parameter sets' })).toBeVisible();
    const table = main.locator('.jp-Labscale-Compare-table');
    const headings = table.getByRole('columnheader');
    const names = async () => (await headings.allTextContents()).map((text) => text.trim());
    expect(await names()).toEqual(['Set', 'Output', 'sigma', 'threshold', 'fill_holes', 'dice', 'seconds']);
    await main.getByRole('checkbox', { name: 'Show what is the same, too' }).check();
    expect(await names()).toContain('connectivity');
    await main.getByRole('checkbox', { name: 'Show what is the same, too' }).uncheck();
    for (const chart of [/Parallel coordinates/, / over /]) {
      await expect(main.getByRole('img', { name: chart }).locator('canvas, svg').first()).toBeVisible();
    }
    await table.getByRole('button', { name: 'dice' }).click();
    await expect(table.getByRole('columnheader', { name: /dice/ })).toHaveAttribute('aria-sort', 'ascending');
    await expect(table.getByRole('row').nth(1)).toContainText('soft');
  });

  await test.step('against a pinned baseline the others show their difference', async () => {
    const table = main.locator('.jp-Labscale-Compare-table');
    await table.getByRole('row', { name: /sharp/ }).getByRole('button', { name: 'Pin as baseline' }).click();
    await expect(table.getByRole('row').nth(1)).toContainText('sharp');
    await expect(table.getByRole('row', { name: /soft/ })).toContainText('−0.065');
    await look(page, 'compare');
  });

  await test.step('a set becomes the default of a dataset and has its star', async () => {
    await row('sharp').click({ button: 'right' });
    await page.getByRole('menuitem', { name: 'Default for a Dataset…' }).click();
    await dialog.getByRole('button', { name: 'Set' }).click();
    await expect(row('sharp').getByTitle('The default for a dataset')).toBeVisible();
  });

  await test.step('its notebook opens with the values in it', async () => {
    await row('sharp').click({ button: 'right' });
    await page.getByRole('menuitem', { name: 'Open in a Notebook' }).click();
    await expect(page.getByRole('tab', { name: /segment \(sharp v1\)/ })).toBeVisible();
    await expect(main.getByText('sigma = 0.6')).toBeVisible();
    await page.keyboard.press('Escape');
  });

  await test.step('a set that no run used can be deleted', async () => {
    await row('softer').click({ button: 'right' });
    await page.getByRole('menuitem', { name: 'Delete…' }).click();
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await expect(row('softer')).toHaveCount(0);
  });
  await execute(page, 'application:close-all');
});
