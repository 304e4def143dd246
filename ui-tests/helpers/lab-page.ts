import { faintTexts } from './contrast';
import { expect, type LabPage } from './lab-test';

const pictures = process.env['LABSCALE_SCREENSHOTS'];

/** Looks at a screen in both themes: every text must stand out; where somebody asked for pictures they are kept. */
export async function look(page: LabPage, name: string, toasts = false): Promise<void> {
  for (const theme of ['Dark', 'Light'] as const) {
    await execute(page, 'apputils:change-theme', { theme: `JupyterLab ${theme}` });
    await page.waitForFunction((light) => document.body.dataset['jpThemeLight'] === light, String(theme === 'Light'));
    expect.soft(await faintTexts(page), `faint texts of ${name} in the ${theme.toLowerCase()} theme`).toEqual([]);
    if (pictures === undefined) continue;
    // Charts are drawn anew for a theme, and Lab's dialogs fade.
    await page.waitForTimeout(800);
    const style = toasts ? '' : '.Toastify { display: none }';
    await page.screenshot({ path: `${pictures}/${name}-${theme.toLowerCase()}.png`, style });
  }
}

/** Runs a command by its id, as the palette and other extensions do. */
export async function execute(page: LabPage, command: string, args: Record<string, unknown> = {}): Promise<void> {
  await page.evaluate(
    async ([id, given]) => {
      const { jupyterapp } = window as unknown as {
        jupyterapp: { commands: { execute(id: string, args: object): Promise<unknown> } };
      };
      await jupyterapp.commands.execute(id as string, given as object);
    },
    [command, args] as const
  );
}

/** Loads Lab anew, after it has saved that the tab with this name is open, and what else is to be kept. */
export async function reloadLab(page: LabPage, tab: string, ...kept: string[]): Promise<void> {
  const id = await page.getByRole('tab', { name: tab, exact: true }).getAttribute('data-id');
  const own = id?.split('-').at(-1) ?? '';
  expect(own).not.toBe('');
  await expect.poll(async () => (await savedWorkspace(page))['layout-restorer:data']).toContain(own);
  for (const text of kept)
    await expect.poll(async () => Object.values(await savedWorkspace(page)).join()).toContain(text);
  // By the frame: Galata's own reload waits for a launcher, and here other pages are restored.
  await page.mainFrame().goto(page.url());
  await page.locator('#jupyterlab-splash').waitFor({ state: 'detached' });
  await page.waitForFunction(() => 'jupyterapp' in window);
  await page.evaluate(() => (window as unknown as { jupyterapp: { restored: Promise<void> } }).jupyterapp.restored);
}

/** What Lab keeps of the workspace, as JSON by key; of the layout the main area. */
async function savedWorkspace(page: LabPage): Promise<Record<string, string>> {
  return page.evaluate(async () => {
    const { data } = (await (await fetch('/lab/api/workspaces/default')).json()) as { data: Record<string, unknown> };
    const layout = (data['layout-restorer:data'] ?? {}) as { main?: unknown };
    return Object.fromEntries(
      Object.entries({ ...data, 'layout-restorer:data': layout.main ?? null }).map(([key, value]) => [
        key,
        JSON.stringify(value)
      ])
    );
  });
}
