import { look } from '../helpers/lab-page';
import { expect, test } from '../helpers/lab-test';

test.use({ labName: 'tour', examples: true });

test('the tour leads from the launcher to the derivatives', async ({ page, project }) => {
  const card = page.locator('.jp-Labscale-Tour-card');
  const light = page.locator('.jp-Labscale-Tour-light');
  const dialog = page.locator('.jp-Dialog');
  const next = () => card.getByRole('button', { name: 'Next' }).click();

  await test.step('one click in the launcher begins it', async () => {
    await page.locator('.jp-LauncherCard', { hasText: 'Labscale: take the tour' }).click();
    await expect(card).toContainText('1 of 8');
    await expect(card.getByRole('heading', { name: 'Datasets' })).toBeVisible();
    await expect(light).toBeVisible();
  });

  await test.step('it says no word too many to who uses the keyboard', async () => {
    await expect(card.getByRole('button', { name: 'Next' })).toBeFocused();
    await page.keyboard.press('Escape');
    await expect(card).toHaveCount(0);
    await page.locator('.jp-LauncherCard', { hasText: 'Labscale: take the tour' }).click();
  });

  await test.step('the demo data are registered, a snippet opens in the notebook', async () => {
    await card.getByRole('button', { name: 'Register it' }).click();
    await expect(card.getByRole('heading', { name: 'A snippet to tune on' })).toBeVisible();
    await expect(page.getByRole('treeitem', { name: /Handwritten digits/ })).toBeVisible();
    await look(page, 'tour');
    await card.getByRole('button', { name: 'Open it' }).click();
    await expect(card.getByRole('heading', { name: 'What you tune' })).toBeVisible();
    await expect(page.getByRole('tab', { name: 'denoise.ipynb' })).toBeVisible();
    await expect(light).toBeVisible();
  });

  await test.step('all cells are run, and what is lit can be used', async () => {
    await card.getByRole('button', { name: 'Run all cells' }).click();
    await expect(page.locator('.jp-OutputArea-output img').first()).toBeInViewport();
    await expect(light).toBeVisible();
    await look(page, 'tour-notebook');
    await next();
    await expect(card.getByRole('heading', { name: 'Save parameters' })).toBeVisible();
    await expect(light).toBeVisible();
    await page.getByRole('button', { name: 'Save parameters' }).click();
    await dialog.getByRole('button', { name: 'Save' }).click();
    await expect(dialog).toHaveCount(0);
    await next();
  });

  await test.step('promoting leads on by itself, to the plan and to the run', async () => {
    await expect(card.getByRole('heading', { name: 'Promote' })).toBeVisible();
    await page.getByRole('button', { name: 'Promote', exact: true }).first().click();
    await expect(card.getByRole('heading', { name: 'The plan' })).toBeVisible();
    await look(page, 'tour-plan');
    await page.getByRole('button', { name: 'Run 100 tasks' }).click();
    await expect(card.getByRole('heading', { name: 'The run' })).toBeVisible();
    await expect(page.getByText('Published 100 derivatives').first()).toBeVisible({ timeout: 90_000 });
    await next();
  });

  await test.step('it ends at the derivatives, and leaves nothing behind', async () => {
    await expect(card).toContainText('8 of 8');
    await expect(page.locator('.jp-Labscale-DatasetPage:visible').getByRole('row', { name: /denoise/ })).toBeVisible();
    await card.getByRole('button', { name: 'Done' }).click();
    await expect(card).toHaveCount(0);
    await expect(light).toHaveCount(0);
    expect((await project.call('listRuns')).items).toHaveLength(1);
  });
});
