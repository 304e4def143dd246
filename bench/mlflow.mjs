import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { freePort } from './free-port.mjs';
import { jsonClient, untilAnswers } from './http-client.mjs';
import { quietPeers } from './peers.mjs';
import { end } from './programs.mjs';

export const mlflowApi = '/api/2.0/mlflow';

/**
 * MLflow's tracking server on SQLite, with one worker: several would only contend for the file, and one client asks.
 * Its job runner is off, so that no process of it takes time from the measured one.
 */
export async function startMlflow(programs, folder) {
  const port = await freePort();
  const child = spawn(
    join(programs, 'mlflow'),
    [
      'server',
      ...['--backend-store-uri', `sqlite:///${join(folder, 'mlflow.db')}`],
      ...['--default-artifact-root', join(folder, 'artifacts')],
      ...['--host', '127.0.0.1', '--port', String(port), '--workers', '1']
    ],
    {
      cwd: folder,
      env: {
        ...process.env,
        ...quietPeers,
        PATH: `${programs}:${process.env.PATH}`,
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false'
      },
      // A group of its own: the command starts its web server as a child, and both must go.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe']
    }
  );
  let problems = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (problems = (problems + text).slice(-4_000)));
  const client = jsonClient(`http://127.0.0.1:${port}`);
  const stop = async () => {
    client.close();
    const gone = end(child);
    try {
      process.kill(-child.pid, 'SIGTERM');
    } catch {
      // The group has gone already.
    }
    await gone;
  };
  try {
    await untilAnswers(() => client.send('POST', `${mlflowApi}/experiments/search`, { max_results: 1 }), {
      timeoutMs: 120_000,
      everyMs: 200,
      stillRunning: () => child.exitCode === null && child.signalCode === null
    });
  } catch (error) {
    await stop();
    throw new Error(`MLflow's server did not start: ${problems}`, { cause: error });
  }
  return { send: client.send, stop };
}
