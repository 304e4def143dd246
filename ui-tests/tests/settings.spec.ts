import { execute, look } from '../helpers/lab-page';
import { expect, test } from '../helpers/lab-test';

const plugin = 'jupyterlab-labscale:plugin';

test.use({ labName: 'settings' });

test('settings change what they say', async ({ page, project }) => {
  for (let at = 1; at <= 120; at += 1) project.write({ [`many/part-${String(at).padStart(3, '0')}.txt`]: String(at) });
  const dataset = await project.registerDataset('Many parts', 'many', 'part-{part}.txt');
  const analysis = await project.registerNotebook('look.ipynb', { parameters: 'limit = 3', cells: ['limit'] });
  const set = await project.saveParameters(analysis, { name: 'three', values: { limit: 3 } });
  const dialog = page.getByRole('dialog');

  const snippetShards = async () => {
    await page.evaluate(
      ([datasetId]) => {
        const { jupyterapp } = window as unknown as {
          jupyterapp: { commands: { execute(id: string, args: object): Promise<unknown> } };
        };
        void jupyterapp.commands.execute('labscale:open-snippet', { datasetId });
      },
      [dataset.id]
    );
    const shards = await dialog.getByLabel('Shards').inputValue();
    await page.keyboard.press('Escape');
    await expect(dialog).toHaveCount(0);
    return shards;
  };
  const promote = async () => {
    await execute(page, 'labscale:promote', {
      parameterSetVersionIds: [set.latestVersion.id],
      datasetVersionId: dataset.latestVersion.id
    });
  };

  await test.step('as they are at first', async () => {
    expect(await snippetShards()).toBe('4');
    await promote();
    await expect(page.getByRole('button', { name: 'Run 120 tasks' })).toBeVisible();
    await execute(page, 'application:close-all');
  });

  await test.step('they have a place in the settings editor, with what each means', async () => {
    await execute(page, 'settingeditor:open', { query: 'Labscale' });
    const editor = page.locator('.jp-SettingsPanel');
    const field = (name: string) => editor.locator(`input[id$="_${name}"]`);
    await expect(field('snippetSize')).toHaveValue('4');
    await expect(editor.getByRole('heading', { name: 'Tasks in a trial' })).toBeVisible();
    await expect(editor.getByText('How many shards a new snippet takes unless you say otherwise.')).toBeVisible();
    await look(page, 'settings');
    await field('snippetSize').fill('7');
    await field('trialSize').fill('9');
    await expect
      .poll(() =>
        page.evaluate(
          async (id) => ((await (await fetch(`/lab/api/settings/${id}`)).json()) as { raw: string }).raw,
          plugin
        )
      )
      .toMatch(/"snippetSize": 7[\s\S]*"trialSize": 9|"trialSize": 9[\s\S]*"snippetSize": 7/);
    await execute(page, 'application:close-all');
  });

  await test.step('a new snippet and a new promotion begin with them', async () => {
    expect(await snippetShards()).toBe('7');
    await promote();
    await expect(page.getByLabel('Number of trial tasks')).toHaveValue('9');
    await expect(page.getByRole('button', { name: 'Try 9 of 120 tasks' })).toBeVisible();
  });
});
