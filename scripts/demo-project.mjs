// The demo project: the examples with their data, registered as datasets.
import { readFile } from 'node:fs/promises';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './child.mjs';
import { root } from './repository.mjs';

/** Write the examples and their data into `project`, made where absent; what is there stays as it is. */
export async function writeExamples(project, python) {
  mkdirSync(project, { recursive: true });
  await run(python, [join(root, 'examples/make-examples.py'), '--into', project]);
}

/** The entries of the project's datasets.json. */
export async function exampleDatasets(project) {
  return JSON.parse(await readFile(join(project, 'datasets.json'), 'utf8'));
}

/** Give the dataset of an entry, registered where it is not yet, in the version of what its folder holds now. */
export async function registerDataset(project, entry, labscale) {
  const { items } = await labscale('datasets', 'list', '--limit', '1000');
  const known = items.find((dataset) => dataset.name === entry.name);
  if (known) return { ...known, latestVersion: await labscale('datasets', 'update', known.id) };
  const { path, layout, pattern } = entry.source;
  return labscale(
    ...['datasets', 'register', join(project, path), '--name', entry.name, '--description', entry.description],
    ...(pattern ? ['--pattern', pattern] : ['--layout', layout]),
    ...Object.entries(entry.metadata).flatMap(([name, value]) => ['--metadata', `${name}=${value}`])
  );
}
