// `npm run demo`: the main job on real data without a browser. The last line is one JSON object.
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { runMain } from './child.mjs';
import { clusterEnvironment } from './cluster-environment.mjs';
import { mainJob } from './main-job.mjs';
import { cache, venvProgram } from './repository.mjs';
import { setup } from './setup.mjs';

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      project: { type: 'string' },
      runner: { type: 'string', default: 'local' },
      objects: { type: 'string', default: 'local' }
    }
  });
  const { runner, objects } = values;
  const embedded = runner === 'local' && objects === 'local';
  // What a project's database says holds for one object store only.
  const usual = join(cache, embedded ? 'demo-project' : `demo-project-${runner}-${objects}`);
  const project = values.project ? resolve(process.env.INIT_CWD ?? '.', values.project) : usual;
  await setup();
  const chosen = embedded ? {} : clusterEnvironment(join(project, '.labscale'), { runner, objects });
  const result = await mainJob(project, {
    python: venvProgram('python'),
    env: { ...process.env, ...chosen },
    say: console.log
  });
  console.log(JSON.stringify(result));
  return result.succeeded + result.reused === result.tasks ? 0 : 1;
});
