// Makes a checkout ready to work: Python environment, npm packages, built server and extension. What is ready stays.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, runMain } from './child.mjs';
import { findPython } from './find-python.mjs';
import { cache, nodeProgram, root, venv, venvProgram } from './repository.mjs';

const log = join(cache, 'setup.log');
const built = /^(node_modules|lib|dist|test|tests|labextension|server|__pycache__|.*\.tsbuildinfo|.*\.spec\.tsx?)$/;

function* filesBelow(path) {
  if (statSync(path).isFile()) return yield path;
  for (const name of readdirSync(path).sort()) if (!built.test(name)) yield* filesBelow(join(path, name));
}

/** One digest of the contents of files and folders, so that a step is repeated exactly when one of them changes. */
function digestOf(...names) {
  const hash = createHash('sha256');
  for (const name of names) {
    for (const file of filesBelow(join(root, name)))
      hash.update(relative(root, file)).update('\0').update(readFileSync(file));
  }
  return hash.digest('hex');
}

const npmInstall = (verb) =>
  run('npm', [verb, '--no-audit', '--no-fund'], {
    log,
    mend: 'If the npm registry could not be reached, run `npm run setup` again.'
  });
const npmRun = (script, workspace) => run('npm', ['run', '--silent', script, '--workspace', workspace], { log });
const pip = (...args) =>
  run(venvProgram('python'), ['-m', 'pip', '--disable-pip-version-check', 'install', ...args], {
    log,
    mend: 'If the Python package index could not be reached, run `npm run setup` again.'
  });

const steps = [
  {
    name: 'python',
    says: 'Python environment in .venv (about a minute)',
    made: [venvProgram('python'), venvProgram('jupyter')],
    digest: () => digestOf('scripts/requirements.txt', 'scripts/constraints.txt'),
    async make() {
      if (!existsSync(venvProgram('pip'))) {
        const python = await findPython();
        rmSync(venv, { recursive: true, force: true });
        await run(python.program, ['-m', 'venv', venv], { log });
      }
      await pip('-r', join(root, 'scripts/requirements.txt'), '-c', join(root, 'scripts/constraints.txt'));
    }
  },
  {
    name: 'npm',
    says: 'npm packages in node_modules (about a minute)',
    made: [nodeProgram('node')],
    digest: () => digestOf('package-lock.json'),
    // `ci` empties node_modules first, from under whatever runs in this checkout; `install` changes only what differs.
    make: () => npmInstall(existsSync(join(root, 'node_modules')) ? 'install' : 'ci')
  },
  {
    name: 'server',
    says: 'labscale server',
    made: [join(root, 'server/dist/labscale-server.mjs')],
    digest: () => digestOf('package-lock.json', 'tsconfig.base.json', 'schema', 'server'),
    make: () => npmRun('bundle', 'server')
  },
  {
    name: 'extension',
    says: 'JupyterLab extension',
    made: [join(root, 'extension/jupyterlab_labscale/labextension/package.json')],
    digest: () => digestOf('package-lock.json', 'tsconfig.base.json', 'schema', 'extension'),
    make: () => npmRun('build', 'extension')
  },
  {
    name: 'packages',
    says: 'Python packages labscale and jupyterlab-labscale',
    made: [venvProgram('labscale')],
    digest: () =>
      digestOf('kernels-helpers/python/pyproject.toml', 'extension/pyproject.toml', 'extension/jupyter-config'),
    // Everything they need is there already; without isolation nothing is fetched to build them.
    make: () =>
      pip(
        '--no-deps',
        '--no-build-isolation',
        '-e',
        join(root, 'kernels-helpers/python'),
        '-e',
        join(root, 'extension')
      )
  }
];

/** Wait until no other setup runs in this checkout, and hold the place until the returned function is called. */
async function takeTurn() {
  const lock = join(cache, 'setup.lock');
  for (let said = false; ;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return () => rmSync(lock, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const other = Number(existsSync(lock) ? readFileSync(lock, 'utf8') : 0);
    if (other > 0 && !isRunning(other)) rmSync(lock, { force: true });
    else {
      if (!said) console.log(`Another setup of this checkout runs (process ${other}); waiting for it.`);
      said = true;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function checkMachine() {
  if (process.platform === 'win32')
    throw new Error('Labscale runs on Linux and macOS; on Windows use it inside WSL 2.');
  if (Number(process.versions.node.split('.')[0]) < 20) {
    throw new Error(`Node 20 or newer is needed; this is ${process.versions.node}. See https://nodejs.org.`);
  }
}

/** Bring the checkout up to date; says what it does, and nothing where there is nothing to do. */
export async function setup() {
  checkMachine();
  mkdirSync(cache, { recursive: true });
  const done = await takeTurn();
  try {
    for (const [index, step] of steps.entries()) {
      const stamp = join(cache, `${step.name}.stamp`);
      const digest = step.digest();
      if (step.made.every(existsSync) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) continue;
      const start = Date.now();
      process.stdout.write(`[${index + 1}/${steps.length}] ${step.says} ... `);
      rmSync(stamp, { force: true });
      try {
        await step.make();
      } catch (error) {
        console.log('failed');
        throw error;
      }
      writeFileSync(stamp, digest);
      console.log(`${((Date.now() - start) / 1_000).toFixed(0)} s`);
    }
  } finally {
    done();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    await setup();
    console.log(
      'Everything is in place: `npm start` opens JupyterLab, `npm run demo` runs the main job without a browser.'
    );
  });
}
