// Does the main job on one machine and on Kubernetes over MinIO, and compares what came of it, byte for byte.
// Writes its steps as JSON to the file named by the first argument.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterEnvironment } from './cluster-environment.mjs';
import { mainJob } from './main-job.mjs';
import { openProject } from './project-server.mjs';
import { venvProgram } from './repository.mjs';
import { check, runSteps } from './test-steps.mjs';

const python = venvProgram('python');
const folder = mkdtempSync(join(tmpdir(), 'labscale-cluster-demo-'));
const cluster = {
  ...process.env,
  ...clusterEnvironment(folder, { runner: 'kubernetes', objects: 'minio' })
};

/** The digests of what a run published, as `<shard>/<path>`; without the executed notebooks, which hold times. */
async function outputs(project, env, runId) {
  const server = await openProject(project, { python, env });
  try {
    const { items } = await server.labscale('derivatives', 'list', runId, '--limit', '100000');
    return Object.fromEntries(
      items.flatMap(({ shardKey, objects }) =>
        objects
          .filter(({ path }) => path !== 'executed.ipynb')
          .map(({ path, digest }) => [`${shardKey}/${path}`, digest])
      )
    );
  } finally {
    await server.stop();
  }
}

await runSteps(process.argv[2], async (step) => {
  const succeeded = ({ tasks, succeeded, derivatives }) => tasks >= 64 && succeeded === tasks && derivatives === tasks;
  const [here, there] = ['local', 'kubernetes'].map((name) => join(folder, name));

  const local = await step('the main job on one machine', async () => {
    const result = await mainJob(here, { python, env: process.env, say: console.log });
    check(succeeded(result), JSON.stringify(result));
    return result;
  });
  const remote = await step('the same on Kubernetes over MinIO', async () => {
    const result = await mainJob(there, { python, env: cluster, say: console.log });
    check(succeeded(result), JSON.stringify(result));
    return result;
  });
  await step('every derivative is the same, byte for byte', async () => {
    const expected = await outputs(here, process.env, local.run);
    const found = await outputs(there, cluster, remote.run);
    const different = Object.keys({ ...expected, ...found }).filter((name) => expected[name] !== found[name]);
    check(
      Object.keys(expected).length >= local.tasks && different.length === 0,
      `${different.length} of ${Object.keys(expected).length} differ: ${different.slice(0, 5).join(', ')}`
    );
  });
  await step('a second time it reuses everything', async () => {
    const result = await mainJob(there, { python, env: cluster, say: console.log });
    check(result.reused === result.tasks && result.succeeded === 0, JSON.stringify(result));
  });
});
rmSync(folder, { recursive: true, force: true });
