import { PathExt } from '@jupyterlab/coreutils';
import type { Contents } from '@jupyterlab/services';
import { importedModules, sourceOf, type INotebookCell } from './notebook-parameters';

/** As many as the contract takes. */
const most = 200;

/**
 * The Python modules that lie beside the notebook and that it imports, themselves or through one another: without them
 * it would not run on a shard, where only the notebook and these files are.
 */
export async function findBundledFiles(
  contents: Contents.IManager,
  notebookPath: string,
  cells: readonly INotebookCell[]
): Promise<{ path: string; text: string }[]> {
  const folder = PathExt.dirname(notebookPath);
  const wanted = cells.flatMap((cell) => (cell.cell_type === 'code' ? importedModules(sourceOf(cell)) : []));
  const found = new Map<string, string>();
  const listings = new Map<string, Contents.IModel[]>();
  const list = async (path: string): Promise<Contents.IModel[]> => {
    const known = listings.get(path);
    if (known) return known;
    const model = await contents.get(path, { content: true });
    const items = (model.content ?? []) as Contents.IModel[];
    listings.set(path, items);
    return items;
  };
  const take = async (path: string): Promise<void> => {
    const relative = folder === '' ? path : PathExt.relative(folder, path);
    if (found.has(relative) || found.size >= most) return;
    const file = await contents.get(path, { content: true, type: 'file', format: 'text' });
    const text = String(file.content);
    found.set(relative, text);
    await follow(importedModules(text));
  };
  const takeFolder = async (path: string): Promise<void> => {
    for (const item of await list(path)) {
      if (item.type === 'directory' && item.name !== '__pycache__') await takeFolder(item.path);
      else if (PathExt.extname(item.name) === '.py') await take(item.path);
    }
  };
  const follow = async (modules: readonly string[]): Promise<void> => {
    if (modules.length === 0) return;
    const items = await list(folder);
    for (const name of modules) {
      const file = items.find((item) => item.name === `${name}.py`);
      const packageFolder = items.find((item) => item.type === 'directory' && item.name === name);
      if (file) await take(file.path);
      else if (packageFolder && (await list(packageFolder.path)).some((item) => item.name === '__init__.py')) {
        await takeFolder(packageFolder.path);
      }
    }
  };
  await follow(wanted);
  return [...found].map(([path, text]) => ({ path, text }));
}
