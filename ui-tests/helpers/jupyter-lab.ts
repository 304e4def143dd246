import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const repository = resolve(import.meta.dirname, '..', '..');
const program = (name: string) => join(repository, '.venv', 'bin', name);
const startSeconds = 60;

export interface IJupyterLab {
  url: string;
  /** The project folder that it serves. */
  folder: string;
  stop(): Promise<void>;
}

/** Starts a JupyterLab on a project folder of its own, empty or with the examples in it. */
export async function startJupyterLab(name: string, examples: boolean): Promise<IJupyterLab> {
  const folder = mkdtempSync(join(tmpdir(), `labscale-ui-${name}-`));
  if (examples) {
    const make = join(repository, 'examples', 'make-examples.py');
    execFileSync(program('python'), [make, '--into', folder], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const output: string[] = [];
  const child = spawn(
    program('jupyter'),
    ['lab', '--config', join(import.meta.dirname, '..', 'jupyter_server_test_config.py')],
    {
      cwd: folder,
      env: { ...process.env, LABSCALE_UI_PORT: String(port), LABSCALE_UI_PROJECT: folder },
      stdio: ['ignore', 'ignore', 'pipe']
    }
  );
  child.stderr.setEncoding('utf8').on('data', (text: string) => output.push(text));
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    // A worker that is ending may still write into the folder.
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  };
  for (let turn = 0; turn < startSeconds * 10; turn += 1) {
    if (child.exitCode !== null) throw new Error(`JupyterLab ended with code ${child.exitCode}:\n${output.join('')}`);
    const answer = await fetch(`${url}/api`).catch(() => null);
    if (answer?.ok) return { url, folder, stop };
    await new Promise((done) => setTimeout(done, 100));
  }
  await stop();
  throw new Error(`JupyterLab did not answer within ${startSeconds} s:\n${output.join('')}`);
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
  const address = probe.address();
  await new Promise((done) => probe.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
