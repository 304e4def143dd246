import { expect, test } from '@jupyterlab/galata';

test('Lab starts with the sidebar of Labscale', async ({ page }) => {
  await expect(page.getByRole('tab', { name: 'Labscale' })).toBeVisible();
});
