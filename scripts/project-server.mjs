// The labscale server of a project folder, and the `labscale` command that speaks with it.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { run, stop } from './child.mjs';

const anotherHoldsTheFolder = 2;

/** The environment in which clients find the server of `project` and no other. */
function environmentOf(project, env = process.env) {
  const { LABSCALE_URL: _url, LABSCALE_TOKEN: _token, LABSCALE_DATA: _data, ...rest } = env;
  return { ...rest, LABSCALE_CONNECTION_FILE: join(project, '.labscale', 'server.json') };
}

/**
 * Start the server of a project folder, or use the one that runs there already. Gives {environment, labscale, stop}:
 * `environment` is that in which clients find it; `labscale(...args)` runs the command with --json and gives its answer;
 * `labscale.watch(runId)` shows how a run goes and gives it at its end; `stop()` ends what was started here.
 */
export async function openProject(project, { python, env }) {
  const environment = environmentOf(project, env);
  const child = spawn(python, ['-m', 'jupyterlab_labscale.serve', '--project', project], {
    cwd: project,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe']
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (said = (said + text).slice(-4_000)));
  await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => line.includes('"listening"') && resolve());
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === anotherHoldsTheFolder) resolve();
      else reject(new Error(`The labscale server did not start.\n${said.trim()}`));
    });
  });
  const program = join(dirname(python), 'labscale');
  const labscale = async (...args) => {
    const { stdout } = await run(program, ['--json', ...args], { cwd: project, env: environment });
    return JSON.parse(stdout);
  };
  labscale.watch = async (runId) => {
    await run(program, ['watch', runId], { cwd: project, env: environment, show: 'stderr', mayFail: true });
    return labscale('runs', 'show', runId);
  };
  return { environment, labscale, stop: () => stop(child) };
}
