// The demo project: the examples with their data, registered as datasets.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './child.mjs';
import { openProject } from './project-server.mjs';
import { root } from './repository.mjs';

/** Write the examples and their data into `project`; what is there stays as it is. */
export async function makeFiles(project, python) {
  await run(python, [join(root, 'examples/make-examples.py'), '--into', project]);
}

/** Register the example datasets that are not registered yet; gives those of datasets.json with their `id`. */
export async function registerDatasets(project, labscale) {
  const wanted = JSON.parse(await readFile(join(project, 'datasets.json'), 'utf8'));
  const { items } = await labscale('datasets', 'list');
  for (const entry of wanted) {
    const known = items.find((dataset) => dataset.name === entry.name);
    entry.dataset = known ?? (await registerDataset(entry, labscale));
  }
  return wanted;
}
