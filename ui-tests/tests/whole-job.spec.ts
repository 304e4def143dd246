import { execute, look, reloadLab } from '../helpers/lab-page';
import { expect, test } from '../helpers/lab-test';
import { runTimeout } from '../helpers/patience';

test.use({ labName: 'whole-job', examples: true });

test('a data scientist tunes on a snippet, runs on every shard and finds the results again', async ({ page }) => {
  const dialog = page.getByRole('dialog');

  await test.step('register the folder as a dataset', async () => {
    await page.getByRole('tab', { name: 'Labscale' }).click();
    await page.getByRole('button', { name: 'Register folder…' }).first().click();
    await dialog.getByLabel('Folder', { exact: true }).fill('digits/data');
    await dialog.getByLabel('Name', { exact: true }).fill('Handwritten digits');
    await dialog.getByRole('radio', { name: /By a pattern/ }).check();
    await dialog.getByLabel('Pattern', { exact: true }).fill('digit-{digit}_batch-{batch}.npy');
    await look(page, 'register');
    await dialog.getByRole('button', { name: 'Register' }).click();
    await expect(page.getByRole('treeitem', { name: /Handwritten digits/ }).first()).toContainText('100');
  });

  await test.step('look at it', async () => {
    await page
      .getByRole('treeitem', { name: /Handwritten digits/ })
      .first()
      .click();
    await expect(page.getByRole('tab', { name: 'Handwritten digits' })).toBeVisible();
    await look(page, 'dataset');
  });

  await test.step('open a snippet in a notebook', async () => {
    await page
      .getByRole('treeitem', { name: /Handwritten digits/ })
      .first()
      .click({ button: 'right' });
    await page.getByRole('menuitem', { name: /Open snippet/i }).click();
    await look(page, 'snippet');
    await dialog.getByRole('button', { name: 'Open in notebook' }).click();
    await expect(page.getByRole('button', { name: 'Save parameters' })).toBeVisible();
    await page.notebook.run();
    expect(await page.getByText(/Error/).count()).toBe(0);
    await page.notebook.close(true);
  });

  await test.step('tune', async () => {
    await page.sidebar.openTab('filebrowser');
    await page.notebook.openByPath('digits/denoise.ipynb');
    await page.notebook.activate('denoise.ipynb');
    const source = (await page.notebook.getCellTextInput(1)) ?? '';
    await page.notebook.setCell(1, 'code', source.replace('sigma = 1.5', 'sigma = 0.6'));
    await page.notebook.run();
    await page.locator('.jp-OutputArea-output img').first().scrollIntoViewIfNeeded();
    await look(page, 'tuned');
  });

  // From an open tuned notebook to a started run: three clicks and one Enter at most.
  let clicks = 0;
  let enters = 0;
  await test.step('save the parameters: one click, one Enter', async () => {
    await page.getByRole('button', { name: 'Save parameters' }).click();
    clicks += 1;
    await expect(dialog.getByLabel('sigma')).toHaveValue('0.6');
    await expect(dialog.getByText('psnr')).toBeVisible();
    await look(page, 'save-parameters');
    await page.keyboard.press('Enter');
    enters += 1;
    await expect(dialog).toHaveCount(0);
  });

  await test.step('promote: one click, and one for the button that says what it does', async () => {
    await page.getByRole('button', { name: 'Promote', exact: true }).first().click();
    clicks += 1;
    const start = page.getByRole('button', { name: 'Run 100 tasks' });
    await expect(start).toBeEnabled();
    await look(page, 'promote');
    await start.click();
    clicks += 1;
    expect(clicks).toBeLessThanOrEqual(3);
    expect(enters).toBeLessThanOrEqual(1);
  });

  await test.step('watch it to its end', async () => {
    await expect(page.getByText('Published 100 derivatives').first()).toBeVisible({ timeout: 2 * runTimeout });
    await expect(page.getByRole('region', { name: 'Charts' }).locator('canvas, svg').first()).toBeVisible();
    await page.getByRole('tab', { name: 'Labscale' }).click();
    await page.getByRole('application', { name: /^Tasks/ }).click({ position: { x: 200, y: 90 } });
    await expect(page.getByLabel('Selected task').getByText('psnr')).toBeVisible();
    await look(page, 'run');
  });

  await test.step('find the results again', async () => {
    await reloadLab(page, 'denoise on Handwritten digits');
    await expect(page.getByText('Published 100 derivatives').first()).toBeVisible();
    await execute(page, 'labscale:show-datasets');
    await page
      .getByRole('treeitem', { name: /denoise/ })
      .first()
      .click();
    const table = page.locator('.jp-Labscale-ShardTable:visible .lm-DataGrid');
    await table.click({ position: { x: 60, y: 28 + 2 * 24 + 12 } });
    const preview = page.locator('.jp-Labscale-Preview:visible');
    await preview.getByLabel('Object of the shard').selectOption('overview.png');
    await expect(preview.locator('.jp-ImageViewer img')).toBeVisible();
    await look(page, 'results');
  });

  await test.step('a second promote reuses everything', async () => {
    await page.sidebar.openTab('filebrowser');
    await page.getByRole('tab', { name: 'denoise.ipynb' }).click();
    await page.getByRole('button', { name: 'Promote', exact: true }).first().click();
    await expect(page.getByRole('button', { name: /100 reused/ })).toBeVisible();
  });
});
