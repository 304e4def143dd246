// `npm run demo`: the main job on real data without a browser. The last line is one JSON object.
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { runMain } from './child.mjs';
import { mainJob } from './main-job.mjs';
import { cache, venvProgram } from './repository.mjs';
import { setup } from './setup.mjs';

await runMain(async () => {
  const { values } = parseArgs({ options: { project: { type: 'string', default: join(cache, 'demo-project') } } });
  const project = resolve(process.env.INIT_CWD ?? '.', values.project);
  await setup();
  const result = await mainJob(project, { python: venvProgram('python'), say: console.log });
  console.log(JSON.stringify(result));
  return result.succeeded + result.reused === result.tasks ? 0 : 1;
});
