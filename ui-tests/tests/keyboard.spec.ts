import type { Locator } from '@playwright/test';
import { execute, reloadLab } from '../helpers/lab-page';
import { expect, test, type LabPage } from '../helpers/lab-test';
import type { LabscaleProject } from '../helpers/labscale-project';

test.use({ labName: 'keyboard' });

/** Eight samples, two tuned sets, and a run of one of them. */
async function smallProject(project: LabscaleProject, name: string) {
  const folder = name.toLowerCase();
  for (let at = 1; at <= 8; at += 1) {
    project.write({ [`${folder}/group-${at % 2 === 0 ? 'even' : 'odd'}_no-${at}.txt`]: String(at) });
  }
  const dataset = await project.registerDataset(name, folder, 'group-{group}_no-{no}.txt');
  const analysis = await project.registerNotebook(`${folder}.ipynb`, {
    parameters: 'factor = 2.0',
    cells: [
      'import labscale\nprint(factor)',
      'value = factor * int(labscale.shard().path().read_text())\nlabscale.metric(value=value)',
      '(labscale.output() / "value.txt").write_text(str(value))'
    ]
  });
  const save = (factor: number) =>
    project.saveParameters(analysis, {
      name: `${folder} times ${factor}`,
      values: { factor },
      metrics: { value: factor }
    });
  const set = await save(2);
  const other = await save(3);
  const run = await project.untilSettled(await project.promote(dataset, [set], { name: `${folder} run` }));
  return { dataset, set, other, run };
}

/** A focus that cannot be seen helps nobody. */
async function expectVisibleFocus(element: Locator): Promise<void> {
  await expect(element).toBeFocused();
  const shown = await element.evaluate((node) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(node);
    return (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none';
  });
  expect(shown).toBe(true);
}

async function choosePalette(page: LabPage, text: string): Promise<void> {
  await page.keyboard.press('Control+Shift+C');
  await page.locator('.lm-CommandPalette-input').fill(text);
  await expect(page.locator('.lm-CommandPalette-item.lm-mod-active').first()).toBeVisible();
  await page.keyboard.press('Enter');
}

test('datasets, shards and runs are reached and opened with the keyboard alone', async ({ page, project }) => {
  const { run } = await smallProject(project, 'Samples');
  const tree = page.getByRole('tree', { name: 'Datasets' });
  const selected = tree.getByRole('treeitem', { selected: true });

  await test.step('the palette leads to the tree, the arrows through it', async () => {
    await choosePalette(page, 'Show Datasets');
    await expect(tree).toBeFocused();
    await page.keyboard.press('End');
    await expect(selected).toContainText('Samples');
    await expectVisibleFocus(tree);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    await expect(selected).toContainText('Version 1');
    await page.keyboard.press('ArrowRight');
    await expect(tree.getByRole('treeitem', { level: 3 })).toHaveCount(8);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await expect(selected).toContainText('group-');
    const key = (await selected.textContent())?.split('.txt')[0] ?? '';
    await page.keyboard.press('Enter');
    await expect(page.locator('.jp-Labscale-Preview-title:visible')).toContainText(key);
    await expect(tree).toHaveAttribute('aria-activedescendant', /./);
  });

  await test.step('the menu of a row opens and works by keys', async () => {
    await choosePalette(page, 'Show Datasets');
    await expect(tree).toBeFocused();
    await page.keyboard.press('Home');
    await page.keyboard.press('ContextMenu');
    const menu = page.locator('.lm-Menu');
    await expect(menu.getByRole('menuitem', { name: 'Open Dataset' })).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(menu).toHaveCount(0);
  });

  await test.step('the parts of a dataset page are tabs, moved with arrows', async () => {
    const tab = (name: string) => page.locator('.jp-Labscale-DatasetPage:visible').getByRole('tab', { name });
    await tab('Shards').focus();
    await page.keyboard.press('ArrowRight');
    await expectVisibleFocus(tab('Versions'));
    await expect(tab('Versions')).toHaveAttribute('aria-selected', 'true');
    await page.keyboard.press('ArrowLeft');
    await expect(tab('Shards')).toHaveAttribute('aria-selected', 'true');
  });

  await test.step('the grid of a run is walked with arrows, and each cell is spoken', async () => {
    await choosePalette(page, 'Show Runs');
    await expectVisibleFocus(page.getByRole('listbox', { name: 'Runs' }));
    await page.keyboard.press('Home');
    await page.keyboard.press('Enter');
    const grid = page.getByRole('application', { name: /^Tasks/ });
    await expect(page.getByText('Published 8 derivatives').first()).toBeVisible();
    await grid.focus();
    await expect(grid).toBeFocused();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    const spoken = page.locator('.jp-Labscale-Grid').getByRole('status');
    await expect(spoken).toContainText('succeeded');
    const first = await spoken.textContent();
    await page.keyboard.press('ArrowLeft');
    await expect(spoken).not.toHaveText(first ?? '');
    await page.keyboard.press('Enter');
    await expect(page.getByLabel('Selected task')).toBeFocused();
    await expect(page.getByLabel(/^Log of task/)).toBeVisible();
    expect(run.state).toBe('succeeded');
  });

  await test.step('a dialog holds the focus, Escape closes it and gives it back', async () => {
    await page.keyboard.press('Escape');
    void execute(page, 'labscale:register-folder');
    const dialog = page.getByRole('dialog');
    await expectVisibleFocus(dialog.getByLabel('Folder', { exact: true }));
    for (let turn = 0; turn < 14; turn += 1) {
      await page.keyboard.press('Tab');
      expect(await dialog.evaluate((node) => node.contains(document.activeElement))).toBe(true);
    }
    await page.keyboard.press('Escape');
    await expect(dialog).toHaveCount(0);
  });
});

test('every command is in the palette or described, and the shortcuts of the notebook work', async ({
  page,
  project
}) => {
  const { set } = await smallProject(project, 'Probes');
  const commands = await page.evaluate(async () => {
    const { jupyterapp } = window as unknown as {
      jupyterapp: {
        commands: {
          listCommands(): string[];
          describedBy(id: string): Promise<{ args: object | null }>;
          label(id: string): string;
        };
      };
    };
    const ours = jupyterapp.commands.listCommands().filter((id) => id.startsWith('labscale:'));
    return Promise.all(
      ours.map(async (id) => ({
        id,
        label: jupyterapp.commands.label(id),
        args: (await jupyterapp.commands.describedBy(id)).args !== null
      }))
    );
  });
  expect(commands.length).toBeGreaterThan(20);
  expect(commands.filter(({ label, args }) => label === '' || !args)).toEqual([]);

  await test.step('from the palette a page opens for what is chosen in the sidebar', async () => {
    await choosePalette(page, 'Show Parameter Sets');
    const tree = page.getByRole('tree', { name: 'Parameter sets by analysis' });
    await expect(tree).toBeFocused();
    // The sets come after their analysis: until then there is nothing below it to go to.
    for (const name of ['probes times 2', 'probes times 3']) {
      await expect(tree.getByRole('checkbox', { name })).toBeVisible();
    }
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowDown');
    const selected = tree.getByRole('treeitem', { selected: true });
    await expect(selected).toHaveAttribute('aria-level', '2');
    await page.keyboard.press('Enter');
    const heading = page.getByRole('main').getByRole('heading', { level: 1 });
    await expect(heading).toBeVisible();
    await expect(selected).toContainText((await heading.textContent()) ?? '?');
    await tree.focus();
    await page.keyboard.press(' ');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press(' ');
    await expect(tree.getByRole('checkbox', { checked: true })).toHaveCount(2);
    await choosePalette(page, 'Compare Ticked Sets');
    await expect(page.getByRole('heading', { name: '2 parameter sets' })).toBeVisible();
  });

  await test.step('Ctrl+Alt+S saves what the notebook holds, Ctrl+Alt+P promotes it', async () => {
    await page.evaluate((id) => {
      const { jupyterapp } = window as unknown as {
        jupyterapp: { commands: { execute(id: string, args: object): Promise<unknown> } };
      };
      return jupyterapp.commands.execute('labscale:open-parameters', { parameterSetId: id });
    }, set.id);
    await expect(page.getByRole('tab', { name: /probes times 2 v1.*ipynb/ })).toBeVisible();
    await page.locator('.jp-Notebook:visible').click({ position: { x: 5, y: 5 } });
    await page.keyboard.press('Control+Alt+S');
    const dialog = page.getByRole('dialog');
    await expect(dialog.getByText('Save parameters')).toBeVisible();
    await expect(dialog.getByLabel('factor')).toHaveValue('2');
    await page.keyboard.press('Escape');
    await expect(dialog).toHaveCount(0);
    await page.locator('.jp-Notebook:visible').click({ position: { x: 5, y: 5 } });
    await page.keyboard.press('Control+Alt+P');
    // Nothing was saved of this notebook yet: that comes first, and Enter does it.
    await expect(dialog.getByLabel('Name', { exact: true })).toBeFocused();
    await page.keyboard.press('Enter');
    await expect(page.locator('.jp-Labscale-Promote-run')).toBeVisible();
    await expect(page.locator('.jp-Labscale-Promote-run')).toBeFocused();
  });
});

test('every page of the main area is there again after a reload, as it was', async ({ page, project }) => {
  const { dataset, set, other, run } = await smallProject(project, 'Traces');
  const main = page.getByRole('main');

  await test.step('a dataset with its filter and its part', async () => {
    await execute(page, 'labscale:open-dataset', { datasetId: dataset.id, filter: 'group=odd' });
    await expect(main.getByText('4 of 8')).toBeVisible();
    await main.getByRole('tab', { name: 'Versions' }).click();
    await reloadLab(page, 'Traces', '"filter":"group=odd"', '"tab":"versions"');
    await expect(main.getByRole('tab', { name: 'Versions' })).toHaveAttribute('aria-selected', 'true');
    await main.getByRole('tab', { name: 'Shards' }).click();
    await expect(main.getByLabel('Filter of the shards')).toHaveValue('group=odd');
    await expect(main.getByText('4 of 8')).toBeVisible();
    await execute(page, 'application:close-all');
  });

  await test.step('a parameter set, a comparison, a lineage and a run', async () => {
    await execute(page, 'labscale:open-parameter-set', { parameterSetId: set.id });
    await reloadLab(page, set.name);
    await expect(main.getByRole('heading', { name: set.name })).toBeVisible();
    await execute(page, 'labscale:compare', { versions: [set.latestVersion.id, other.latestVersion.id] });
    await reloadLab(page, 'Compare 2 sets');
    await expect(main.getByRole('heading', { name: '2 parameter sets' })).toBeVisible();
    await execute(page, 'labscale:open-lineage', { id: dataset.latestVersion.id, name: dataset.name });
    await reloadLab(page, `Lineage of ${dataset.name}`);
    await expect(main.locator('.jp-Labscale-Lineage-node:visible').filter({ hasText: run.name })).toBeVisible();
    await execute(page, 'labscale:open-run', { runId: run.id });
    await reloadLab(page, run.name);
    await expect(main.getByText('Published 8 derivatives').first()).toBeVisible();
    await execute(page, 'application:close-all');
  });

  await test.step('a promotion with what was chosen since it was opened', async () => {
    await execute(page, 'labscale:promote', {
      parameterSetVersionIds: [other.latestVersion.id],
      datasetVersionId: dataset.latestVersion.id
    });
    await main.getByLabel('Only shards with').fill('group=even');
    await main.getByLabel('Memory (MiB)').fill('512');
    await expect(main.getByRole('button', { name: 'Run 4 tasks' })).toBeVisible();
    await reloadLab(page, 'Promote', 'group=even', '"memoryBytes":536870912');
    await expect(main.getByRole('button', { name: 'Run 4 tasks' })).toBeVisible();
    await expect(main.getByLabel('Only shards with')).toHaveValue('group=even');
    await expect(main.getByLabel('Memory (MiB)')).toHaveValue('512');
    await expect(main.getByRole('checkbox', { name: /times 3/ })).toBeChecked();
  });
});
