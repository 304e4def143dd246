// Builds the wheels, installs them in a new environment without a Node on its PATH, and does the main job with them.
// Writes its steps as JSON to the file named by the first argument.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { run } from './child.mjs';
import { mainJob } from './main-job.mjs';
import { root, venvProgram } from './repository.mjs';
import { check, runSteps } from './test-steps.mjs';
import { buildWheels } from './wheels.mjs';

const folder = mkdtempSync(join(tmpdir(), 'labscale-wheels-'));
/** A PATH with every program of this machine but Node and what comes with it. */
function pathWithoutNode(first) {
  const without = join(folder, 'programs');
  mkdirSync(without);
  for (const place of (process.env.PATH ?? '').split(delimiter)) {
    if (place.includes('node_modules') || !existsSync(place)) continue;
    for (const name of readdirSync(place)) {
      if (/^(node|nodejs|npm|npx|corepack)$/.test(name) || existsSync(join(without, name))) continue;
      symlinkSync(join(place, name), join(without, name));
    }
  }
  return [first, without].join(delimiter);
}

await runSteps(process.argv[2], async (step) => {
  const wheels = await step('the wheels are built', async () => {
    const built = await buildWheels(join(folder, 'wheels'));
    check(built.length === 2, `expected two wheels, got ${built.join(', ') || 'none'}`);
    return built;
  });

  const bin = join(folder, 'venv', 'bin');
  const python = join(bin, 'python');
  // What npm sets for its scripts would lead back to the Node and the packages of this checkout.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_(?!config)|NODE|LABSCALE_|VIRTUAL_ENV)/.test(name))
  );
  env.PATH = pathWithoutNode(bin);

  await step('they install in an empty environment', async () => {
    await run(venvProgram('python'), ['-m', 'venv', join(folder, 'venv')]);
    const packages = ['numpy', 'scipy', 'matplotlib', 'scikit-learn', 'pandas', 'statsmodels', 'nibabel'];
    await run(
      python,
      [
        '-m',
        'pip',
        '--disable-pip-version-check',
        'install',
        '-q',
        '-c',
        join(root, 'scripts/requirements.txt'),
        '-c',
        join(root, 'scripts/constraints.txt'),
        ...wheels,
        ...packages
      ],
      { env }
    );
  });

  await step('there is no Node on the PATH', async () => {
    const found = await run('sh', ['-c', 'command -v node npm'], { env, mayFail: true });
    check(found.stdout.trim() === '', `found ${found.stdout}`);
  });

  await step('JupyterLab lists the extension as enabled', async () => {
    const { stdout, stderr } = await run(join(bin, 'jupyter'), ['labextension', 'list'], { env });
    check(/jupyterlab-labscale v\S+.*enabled.*OK/.test(stdout + stderr), stdout + stderr);
  });

  await step('the Jupyter server lists its half as enabled', async () => {
    const { stdout, stderr } = await run(join(bin, 'jupyter'), ['server', 'extension', 'list'], { env });
    check(/jupyterlab_labscale.*enabled/.test(stdout + stderr), stdout + stderr);
  });

  const project = join(folder, 'project');
  mkdirSync(project);
  await step('the main job succeeds on every shard', async () => {
    const first = await mainJob(project, { python, env, say: console.log });
    check(
      first.tasks >= 64 && first.succeeded === first.tasks && first.derivatives === first.tasks,
      JSON.stringify(first)
    );
  });
  await step('a second time it reuses everything', async () => {
    const second = await mainJob(project, { python, env, say: console.log });
    check(second.tasks >= 64 && second.reused === second.tasks && second.succeeded === 0, JSON.stringify(second));
  });
});
rmSync(folder, { recursive: true, force: true });
