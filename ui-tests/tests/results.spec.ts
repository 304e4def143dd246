import { execute, look } from '../helpers/lab-page';
import { expect, test, type LabPage } from '../helpers/lab-test';
import { notebookOf, type LabscaleProject } from '../helpers/labscale-project';
import { greyPng } from '../helpers/picture-file';

test.use({ labName: 'results' });

const picture = greyPng(64, 48, (x, y) => 0.5 + 0.5 * Math.sin(x / 5) * Math.cos(y / 7)).toString('base64');
const report = JSON.stringify(notebookOf({ parameters: 'window = 5', cells: ['"the executed notebook"'] }));

/** Twelve recordings of two sites, and a run over them that published an object for each of Lab's viewers. */
async function publishedRun(project: LabscaleProject) {
  for (let at = 0; at < 12; at += 1) {
    const site = at < 6 ? 'north' : 'south';
    project.write({ [`recordings/site-${site}_day-${String((at % 6) + 1).padStart(2, '0')}.txt`]: String(at) });
  }
  const dataset = await project.registerDataset('Recordings', 'recordings', 'site-{site}_day-{day}.txt');
  const analysis = await project.registerNotebook('smooth.ipynb', {
    parameters: 'window = 5  # days that are averaged',
    cells: [
      [
        'import base64, json',
        'import labscale',
        '',
        'shard = labscale.shard()',
        'out = labscale.output()',
        'level = 10 + int(shard.path().read_text()) / window',
        'labscale.metric(level=level)',
        `(out / "overview.png").write_bytes(base64.b64decode("${picture}"))`,
        '(out / "days.csv").write_text("day,level\\n" + "".join(f"{day},{level * day}\\n" for day in range(1, 31)))',
        '(out / "summary.json").write_text(json.dumps({"level": level, "window": window, "site": shard.entities}))',
        '(out / "notes.txt").write_text(f"level {level} over {window} days\\n")',
        `(out / "report.ipynb").write_text(${JSON.stringify(report)})`
      ].join('\n')
    ]
  });
  const set = await project.saveParameters(analysis, {
    name: 'five days',
    values: { window: 5 },
    provenance: { datasetVersionId: dataset.latestVersion.id }
  });
  const run = await project.untilSettled(await project.promote(dataset, [set]));
  expect(run.state).toBe('succeeded');
  return { dataset, run };
}

/** Clicks a row of the table of shards, which is drawn on a canvas. */
async function selectRow(page: LabPage, row: number): Promise<void> {
  const grid = page.locator('.jp-Labscale-ShardTable:visible .lm-DataGrid');
  await grid.click({ position: { x: 60, y: 28 + row * 24 + 12 } });
}

test('results are a dataset of their own: previews, queries, and the way back', async ({ page, project }) => {
  const { dataset, run } = await publishedRun(project);
  const main = page.getByRole('main');
  const dataPage = page.locator('.jp-Labscale-DatasetPage:visible');
  const preview = page.locator('.jp-Labscale-Preview:visible');
  const results = 'Recordings · smooth';

  await test.step('from the run one click opens its results', async () => {
    await execute(page, 'labscale:open-run', { runId: run.id });
    await main.getByRole('button', { name: 'Open results' }).click();
    await expect(dataPage.getByRole('heading', { name: new RegExp(results) })).toBeVisible();
    await expect(dataPage.getByText('12 shards').first()).toBeVisible();
  });

  await test.step('the objects of a shard are shown by the viewers of Lab', async () => {
    await selectRow(page, 2);
    await expect(preview.locator('.jp-Labscale-Preview-title')).toContainText('site-north_day-03');
    const object = preview.getByLabel('Object of the shard');
    await object.selectOption('days.csv');
    await expect(preview.locator('.jp-CSVViewer .lm-DataGrid')).toBeVisible();
    await object.selectOption('summary.json');
    await expect(preview.locator('.jp-RenderedJSON')).toContainText('window');
    await object.selectOption('notes.txt');
    await expect(preview.locator('.cm-content')).toContainText('over 5 days');
    await object.selectOption('report.ipynb');
    await expect(preview.locator('.jp-Notebook')).toContainText('the executed notebook');
    await object.selectOption('overview.png');
    await expect(preview.locator('.jp-ImageViewer img')).toBeVisible();
    await page.getByRole('tab', { name: 'Labscale' }).click();
    await look(page, 'previews');
    expect(
      (await page.request.get(new URL('/api/kernels', page.url()).href).then((answer) => answer.json())).length
    ).toBe(0);
  });

  await test.step('an object opens in a tab of its own', async () => {
    await preview.getByRole('button', { name: 'Open' }).click();
    await expect(page.getByRole('tab', { name: 'overview.png' })).toBeVisible();
    await page.getByRole('tab', { name: results }).click();
  });

  await test.step('a filter says what is wrong with it, and what it finds', async () => {
    const filter = dataPage.getByLabel('Filter of the shards');
    await filter.fill('level>');
    await expect(dataPage.getByRole('alert')).toContainText('level');
    await filter.fill('site=south level>11.5');
    await expect(dataPage.getByText('4 of 12')).toBeVisible();
    await expect(dataPage.getByRole('alert')).toHaveCount(0);
  });

  await test.step('a filter is saved as a query, and the sidebar has it too', async () => {
    await dataPage.getByRole('button', { name: 'Save as query…' }).click();
    await page.getByRole('dialog').getByRole('textbox').fill('loud in the south');
    await page.keyboard.press('Enter');
    await expect(dataPage.getByLabel('Saved query')).toHaveValue(/^q/);
    await dataPage.getByLabel('Saved query').selectOption({ label: 'All shards' });
    await expect(dataPage.getByRole('status').getByText('12 shards')).toBeVisible();
    await dataPage.getByLabel('Saved query').selectOption({ label: 'loud in the south' });
    await expect(dataPage.getByText('4 of 12')).toBeVisible();
    const tree = page.getByRole('tree', { name: 'Datasets' });
    await tree
      .getByRole('treeitem', { name: new RegExp(results) })
      .locator('.jp-Labscale-Twisty')
      .click();
    await tree
      .getByRole('treeitem', { name: /^Version 1/ })
      .locator('.jp-Labscale-Twisty')
      .click();
    await tree
      .getByRole('treeitem', { name: /loud in the south/ })
      .locator('.jp-Labscale-Twisty')
      .click();
    await expect(tree.getByRole('treeitem', { level: 4 })).toHaveCount(4);
    await look(page, 'query');
  });

  await test.step('lineage leads from the results back to what made them, and on', async () => {
    await dataPage.getByRole('tab', { name: 'Lineage' }).click();
    const node = (name: RegExp) => dataPage.locator('.jp-Labscale-Lineage-node:visible').filter({ hasText: name });
    await expect(node(/Recordings.*dataset/s).first()).toBeVisible();
    await expect(node(/five days.*parameter set/s)).toBeVisible();
    await expect(node(/smooth.*analysis/s)).toBeVisible();
    await look(page, 'lineage');
    await node(/smooth on Recordings.*run/s).click();
    await expect(main.getByText('Published 12 derivatives')).toBeVisible();
  });

  await test.step('the dataset that it was made from names its derivatives', async () => {
    await execute(page, 'labscale:show-derivatives', { datasetId: dataset.id });
    await expect(dataPage.getByRole('tab', { name: /Derivatives/ })).toHaveAttribute('aria-selected', 'true');
    const row = dataPage.getByRole('row', { name: /five days/ });
    await expect(row).toContainText('12 shards');
    await look(page, 'derivatives');
    await row.getByRole('button', { name: '12 shards' }).click();
    await expect(dataPage.getByRole('heading', { name: new RegExp(results) })).toBeVisible();
  });

  await test.step('name, description and metadata are edited by the owner', async () => {
    await dataPage.getByRole('tab', { name: 'About' }).click();
    await dataPage.getByRole('button', { name: 'Edit' }).click();
    await dataPage.getByLabel('Description').fill('Averages of five days.');
    await dataPage.getByRole('button', { name: 'Add an entry' }).click();
    await dataPage.getByLabel('Name of the entry').fill('instrument');
    await dataPage.getByLabel('Value of instrument').fill('"SM-4"');
    await look(page, 'about');
    await dataPage.getByRole('button', { name: 'Save' }).click();
    await expect(dataPage.getByText('SM-4')).toBeVisible();
    await expect(dataPage.getByText('Averages of five days.').first()).toBeVisible();
  });
});
