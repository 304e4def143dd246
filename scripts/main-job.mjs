// The main job on a project folder, by the `labscale` command alone: tune on a snippet, run on every shard.
import { dirname, join } from 'node:path';
import { run } from './child.mjs';
import { exampleDatasets, registerDataset, writeExamples } from './demo-project.mjs';
import { openProject } from './project-server.mjs';
import { root, venvProgram } from './repository.mjs';

const setName = 'Denoise digits, tuned by the demo';
const snippetName = 'Four stacks of digits';
const tried = [0.4, 0.7, 1.5].map((sigma) => ({ sigma, method: 'gaussian', threshold: 3 }));

/**
 * Do the job with the Python packages of `python` and tell each step to `say`. Gives {dataset, parameterSet, run, tasks,
 * succeeded, reused, failed, derivatives, seconds}; the first three are ids, the rest numbers. What is there already from an
 * earlier call is used again.
 */
export async function mainJob(project, { python, env = process.env, say }) {
  const start = Date.now();
  await writeExamples(project, venvProgram('python'));
  const server = await openProject(project, { python, env });
  try {
    return {
      ...(await steps(project, server.labscale, tune(project, python, server.environment), say)),
      seconds: (Date.now() - start) / 1_000
    };
  } finally {
    await server.stop();
  }
}

async function steps(project, labscale, tuneOn, say) {
  const [entry] = await exampleDatasets(project);
  const dataset = await registerDataset(project, entry, labscale);
  say(
    `dataset     ${dataset.name}: ${dataset.latestVersion.shardCount} shards, entities ${dataset.latestVersion.entityNames.join(', ')}`
  );

  const outputs = entry.outputs.flatMap((path) => ['--output', path]);
  const notebook = join(project, entry.notebook);
  const analysis = await labscale('analyses', 'register', notebook, ...outputs);
  const { parameters } = analysis.latestVersion.contract;
  say(
    `analysis    ${analysis.name}, version ${analysis.latestVersion.number}: tunes ${parameters.map(({ name }) => name).join(', ')}`
  );

  const { items: snippets } = await labscale('snippets', 'list', '--dataset', dataset.id, '--limit', '1000');
  const snippet =
    snippets.find((item) => item.name === snippetName && item.datasetVersionId === dataset.latestVersion.id) ??
    (await labscale(
      'snippets',
      'create',
      dataset.latestVersion.id,
      '--count',
      '4',
      '--seed',
      '7',
      '--name',
      snippetName
    ));
  say(`snippet     ${snippet.shards.map((shard) => shard.key).join(', ')}`);

  const results = await tuneOn(notebook, snippet);
  for (const { values, metrics } of results)
    say(`tune        sigma ${values.sigma}: psnr ${metrics.psnr.toFixed(2)} dB`);
  const best = results.reduce((a, b) => (b.metrics.psnr > a.metrics.psnr ? b : a));

  const parameterSet = await saveOnce(labscale, analysis.latestVersion, snippet, best);
  say(`parameters  ${parameterSet.name}, version ${parameterSet.latestVersion.number}: ${JSON.stringify(best.values)}`);

  const promotion = [
    dataset.latestVersion.id,
    '--set',
    parameterSet.latestVersion.id,
    '--analysis',
    analysis.latestVersion.id
  ];
  const plan = await labscale('plan', ...promotion);
  const estimate = plan.estimate ? `, about ${plan.estimate.seconds.toFixed(0)} s` : '';
  say(`plan        ${plan.tasks} tasks, ${plan.reused} reused, ${plan.toRun} to run${estimate}`);

  const { id } = await labscale('run', ...promotion);
  say(`run         ${id}`);
  const finished = await labscale.watch(id);
  say(`            ${finished.headline}`);
  const { counts } = finished;
  if (counts.reused === finished.taskCount) say('            everything was there already: nothing had to be computed');

  const listed = await labscale('derivatives', 'list', id, '--limit', '100000');
  say(
    `derivatives ${listed.total}, each with ${listed.items[0]?.objects.map((object) => object.path).join(', ') ?? 'nothing'}`
  );
  const chart = await labscale(
    'chart',
    id,
    '--metric',
    'psnr',
    '--by',
    'digit',
    '--output',
    join(project, 'psnr-by-digit.svg')
  );
  say(`chart       ${chart.file}`);

  return {
    dataset: dataset.id,
    parameterSet: parameterSet.id,
    run: id,
    tasks: finished.taskCount,
    succeeded: counts.succeeded,
    reused: counts.reused,
    failed: counts.failed,
    derivatives: listed.total
  };
}

async function saveOnce(labscale, analysisVersion, snippet, { values, metrics }) {
  const { items } = await labscale('params', 'list', '--analysis', analysisVersion.analysisId, '--limit', '1000');
  const same = items.find(
    ({ name, latestVersion }) =>
      name === setName &&
      latestVersion.analysisVersionId === analysisVersion.id &&
      Object.entries(values).every(([parameter, value]) => latestVersion.values[parameter] === value)
  );
  if (same) return same;
  const pairs = (entries) => Object.entries(entries).map(([name, value]) => `${name}=${value}`);
  return labscale(
    ...['params', 'save', setName, ...pairs(values), '--analysis', analysisVersion.id, '--snippet', snippet.id],
    ...pairs(metrics).flatMap((pair) => ['--metric', pair]),
    ...['--tag', 'demo', '--note', `The best of ${tried.length} widths on ${snippet.name}.`]
  );
}

/** Tuning as a person does it: the notebook in a kernel, on the snippet, once for each of the values tried. */
function tune(project, python, env) {
  return async (notebook, snippet) => {
    const values = tried.map((one) => JSON.stringify(one));
    const args = [join(root, 'scripts', 'tune.py'), notebook, snippet.id, ...values];
    const path = `${dirname(python)}:${env.PATH}`;
    const { stdout } = await run(python, args, { cwd: project, env: { ...env, PATH: path } });
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  };
}
