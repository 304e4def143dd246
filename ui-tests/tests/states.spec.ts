import { DatabaseSync } from 'node:sqlite';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execute, look, reloadLab } from '../helpers/lab-page';
import { expect, test, type LabPage } from '../helpers/lab-test';
import type { LabscaleProject } from '../helpers/labscale-project';

test.use({ labName: 'states' });

const section = (page: LabPage, id: string) => page.locator(`#labscale-${id}`);

// The first: it finds a project in which nothing was done yet.
test('an empty section says what to do next, with the button that does it', async ({ page }) => {
  await page.getByRole('tab', { name: 'Labscale' }).click();
  await expect(section(page, 'datasets')).toContainText('No dataset yet.');
  await expect(section(page, 'parameters')).toContainText('Tuned values will be kept here.');
  await expect(section(page, 'runs')).toContainText('Runs will be listed here.');
  await look(page, 'empty');

  await section(page, 'parameters').getByRole('button', { name: 'Choose a dataset to tune on' }).click();
  await expect(section(page, 'datasets').getByLabel(/^Search datasets/)).toBeFocused();

  await section(page, 'runs').getByRole('button', { name: 'Promote…' }).click();
  await expect(page.getByRole('main').getByText('There is nothing to run yet.')).toBeVisible();
  await look(page, 'promote-empty');
  await page.getByRole('main').getByRole('button', { name: 'Choose a dataset to tune on' }).click();

  await section(page, 'datasets').getByRole('button', { name: 'Register folder…' }).click();
  await expect(page.getByRole('dialog').getByText('Register folder')).toBeVisible();
});

test('a form keeps what was typed where the server refuses it, and says which field and what to do', async ({
  page,
  project
}) => {
  project.write({ 'letters/a.txt': 'a', 'letters/b.txt': 'b' });
  const dialog = page.getByRole('dialog');
  void execute(page, 'labscale:register-folder', { path: 'no/such/folder' });
  await dialog.getByLabel('Name', { exact: true }).fill('Letters');
  await page.keyboard.press('Enter');
  await expect(dialog.getByRole('alert')).toContainText('no/such/folder');
  await look(page, 'refused');
  await expect(dialog.getByLabel('Name', { exact: true })).toHaveValue('Letters');
  await dialog.getByLabel('Folder', { exact: true }).fill('letters');
  await page.keyboard.press('Enter');
  await expect(dialog).toHaveCount(0);
  await expect(page.getByRole('treeitem', { name: /Letters/ })).toContainText('2');
});

test('a list shows that it is loading until its answer is there', async ({ page, project }) => {
  project.write({ 'slow/a.txt': 'a' });
  await project.registerDataset('Slow', 'slow', '{name}.txt');
  let answer: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (answer = resolve));
  await page.route('**/labscale/api/v1/datasets?*', async (route) => {
    await held;
    await route.continue();
  });
  await page.getByRole('tab', { name: 'Labscale' }).click();
  await expect(section(page, 'datasets').getByRole('status', { name: 'Loading…' })).toBeVisible();
  await look(page, 'loading');
  answer();
  await expect(section(page, 'datasets').getByRole('treeitem', { name: /Slow/ })).toBeVisible();
  await expect(section(page, 'datasets').getByRole('status', { name: 'Loading…' })).toHaveCount(0);
});

test('a folder that changed is noticed, and becomes a new version that says what changed', async ({
  page,
  project
}) => {
  project.write({ 'grown/a.txt': 'a', 'grown/b.txt': 'b', 'grown/c.txt': 'c' });
  const dataset = await project.registerDataset('Grown', 'grown', '{name}.txt');
  await execute(page, 'labscale:open-dataset', { datasetId: dataset.id });
  const main = page.getByRole('main');
  await page.getByRole('tab', { name: 'Labscale' }).click();

  await main.getByRole('button', { name: 'Check for new data' }).click();
  await expect(page.getByText('Grown: nothing has changed since version 1.')).toBeVisible();
  project.write({ 'grown/b.txt': 'bb', 'grown/d.txt': 'd' });
  await main.getByRole('button', { name: 'Check for new data' }).click();
  await expect(page.getByRole('treeitem', { name: /Grown/ })).toContainText('newer');
  await look(page, 'newer-data', true);
  await page.getByRole('button', { name: 'Make version 2' }).click();

  await expect(main.getByLabel('Version', { exact: true })).toHaveValue(/./);
  await main.getByRole('tab', { name: 'Versions' }).click();
  const row = main.getByRole('row', { name: /1 added, 1 changed/ });
  await row.getByRole('button', { name: '1 added, 1 changed' }).click();
  await expect(main.getByRole('listitem').filter({ hasText: 'd.txt' })).toContainText('added');
  await expect(main.getByRole('listitem').filter({ hasText: 'b.txt' })).toContainText('changed');
  await look(page, 'versions');
  await expect(page.getByRole('treeitem', { name: /Grown/ })).not.toContainText('newer');
});

/** Ends the server of the project and keeps every other from starting, by a database that it must not touch. */
function takeServerAway(project: LabscaleProject): () => void {
  const data = join(project.folder, '.labscale');
  const database = new DatabaseSync(join(data, 'metadata.sqlite'));
  database.exec("INSERT INTO kysely_migration (name, timestamp) VALUES ('9999-of-a-newer-version', '2030-01-01')");
  const { pid } = JSON.parse(readFileSync(join(data, 'server.json'), 'utf8')) as { pid: number };
  process.kill(pid, 'SIGKILL');
  return () => {
    database.exec("DELETE FROM kysely_migration WHERE name = '9999-of-a-newer-version'");
    database.close();
  };
}

test('a server that is away is told with the way to mend it, and found again', async ({ page, project }) => {
  project.write({ 'measurements/a.txt': 'a', 'measurements/b.txt': 'b' });
  const dataset = await project.registerDataset('Measurements', 'measurements', '{name}.txt');
  await execute(page, 'labscale:open-dataset', { datasetId: dataset.id });
  await expect(page.getByRole('main').getByText('2 shards').first()).toBeVisible();
  await page.getByRole('tab', { name: 'Labscale' }).click();

  const bringBack = takeServerAway(project);
  try {
    await reloadLab(page, 'Measurements');
    await execute(page, 'labscale:show-datasets');
    for (const place of [
      ...['datasets', 'parameters', 'runs'].map((id) => section(page, id)),
      page.locator('.jp-Labscale-DatasetPage')
    ]) {
      await expect(place.getByRole('alert')).toContainText('newer version of labscale', { timeout: 60_000 });
      await expect(place.getByRole('alert')).toContainText('server.log');
    }
    await look(page, 'server-away');
  } finally {
    bringBack();
  }
  await expect(async () => {
    const retry = section(page, 'datasets').getByRole('button', { name: 'Retry' });
    if (await retry.isVisible()) await retry.click();
    await expect(section(page, 'datasets').getByRole('treeitem', { name: /Measurements/ })).toBeVisible({
      timeout: 2_000
    });
  }).toPass({ timeout: 90_000 });
  // What had failed beside it mends itself, for the events say that the server is back.
  await expect(section(page, 'runs')).toContainText('Runs will be listed here.', { timeout: 60_000 });
  await expect(page.locator('.jp-Labscale-DatasetPage').getByText('2 shards').first()).toBeVisible({ timeout: 60_000 });
});
