// `npm start`: sets the checkout up, makes the demo project, and opens JupyterLab on it.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { runMain, stop } from './child.mjs';
import { exampleDatasets, registerDataset, writeExamples } from './demo-project.mjs';
import { openProject } from './project-server.mjs';
import { cache, root, venvProgram } from './repository.mjs';
import { setup } from './setup.mjs';

const defaultPort = 8888;

function isFree(port) {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
  });
}

async function choosePort(asked) {
  if (asked === undefined) {
    for (let port = defaultPort; port < defaultPort + 50; port += 1) if (await isFree(port)) return port;
    throw new Error(`No port from ${defaultPort} on is free; name one with --port.`);
  }
  const port = Number(asked);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Error(`--port: ${asked} is not a port; give a number from 1 to 65535.`);
  if (!(await isFree(port)))
    throw new Error(`--port: ${port} is taken by another program; name a free one, or leave --port out.`);
  return port;
}

async function untilItAnswers(url, child) {
  while (child.exitCode === null && child.signalCode === null) {
    const answer = await fetch(url, { redirect: 'manual' }).catch(() => undefined);
    if (answer && answer.status < 500) return true;
    await new Promise((next) => setTimeout(next, 100));
  }
  return false;
}

async function makeProject(project) {
  const python = venvProgram('python');
  await writeExamples(project, python);
  const server = await openProject(project, { python });
  try {
    for (const entry of await exampleDatasets(project)) await registerDataset(project, entry, server.labscale);
  } finally {
    await server.stop();
  }
}

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      project: { type: 'string', default: join(cache, 'demo-project') },
      port: { type: 'string' },
      'no-browser': { type: 'boolean', default: false }
    }
  });
  const port = await choosePort(values.port);
  await setup();
  const project = resolve(process.env.INIT_CWD ?? '.', values.project);
  process.stdout.write(`Demo project in ${project} ... `);
  await makeProject(project);
  console.log('ready');

  const token = randomBytes(24).toString('hex');
  const lab = spawn(
    venvProgram('jupyter'),
    [
      'lab',
      `--config=${join(root, 'scripts', 'jupyter_config.py')}`,
      `--ServerApp.root_dir=${project}`,
      '--ServerApp.ip=127.0.0.1',
      `--ServerApp.port=${port}`,
      '--ServerApp.port_retries=0',
      '--log-level=WARN',
      ...(values['no-browser'] ? ['--no-browser'] : [])
    ],
    // The environment and not an argument: other users of the machine can read the arguments.
    { cwd: project, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, JUPYTER_TOKEN: token } }
  );
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void stop(lab));
  const ended = new Promise((done) => lab.once('exit', done));
  if (await untilItAnswers(`http://127.0.0.1:${port}/lab`, lab)) {
    console.log(`\nLabscale is ready: http://127.0.0.1:${port}/lab?token=${token}\nCtrl-C stops it.`);
  }
  return (await ended) ?? 0;
});
