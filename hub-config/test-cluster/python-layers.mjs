// The layers that the images with Python are made of: the base system, the scientific packages, the Labscale package.
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { run } from '../../scripts/child.mjs';
import { root as checkout } from '../../scripts/repository.mjs';
import { keyOf, layer } from './layer.mjs';
import { programOf } from './packages.mjs';
import { layerCache } from './places.mjs';

const included = ['python3', 'python3-venv', 'ca-certificates'];
const recipe = 3;
const suite = () => /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))[1];
const baseKey = () => keyOf(suite(), process.arch, included);
const baseRoot = () => join(layerCache, `base-${baseKey()}`);
export const packagesFolder = '/opt/venv';
const helpers = join(checkout, 'kernels-helpers', 'python', 'src', 'labscale');

const inBase = (program, args, env = {}) =>
  run('/usr/sbin/chroot', [baseRoot(), program, ...args], { env: { HOME: '/tmp', PATH: '/usr/bin:/bin', ...env } });

/**
 * Compile the Python files below folders of the base system. The root of a container is read-only: what is not compiled here is
 * compiled anew by every process. The usual compiled file is good only beside a source of the same age, and layers have no ages.
 */
const compile = (folders, options = []) =>
  inBase('/usr/bin/python3', [
    ...['-m', 'compileall', '-q', '-f', '-j', '0', '--invalidation-mode', 'unchecked-hash', ...options, ...folders]
  ]);

async function ensureBaseRoot() {
  if (existsSync(baseRoot())) return;
  console.log('Making the base system of the images by debootstrap (about a minute) ...');
  const making = `${baseRoot()}.making`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(dirname(making), { recursive: true });
  await run(programOf('debootstrap'), ['--variant=minbase', `--include=${included.join(',')}`, suite(), making]);
  // Programs that ask who they are get an answer for the user that containers run as.
  appendFileSync(join(making, 'etc/passwd'), 'labscale:x:1000:1000::/tmp:/bin/sh\n');
  appendFileSync(join(making, 'etc/group'), 'labscale:x:1000:\n');
  renameSync(making, baseRoot());
}

/** Debian with Python. */
export const baseLayer = () => layer('base', keyOf(recipe, baseKey()), collectBase, { takesLong: true });

async function collectBase() {
  await ensureBaseRoot();
  const libraries = readdirSync(join(baseRoot(), 'usr/lib')).filter((name) => name.startsWith('python3'));
  await compile(libraries.map((name) => `/usr/lib/${name}`));
  const emptied = ['dev', 'proc', 'sys', 'run', 'tmp', 'opt', 'var/cache/apt', 'var/lib/apt/lists', 'var/log'];
  const unread = ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/info'];
  return { root: baseRoot(), paths: ['.'], exclude: [...emptied, ...unread].map((path) => `./${path}/*`) };
}

const wanted =
  'ipykernel ipywidgets nbclient nbformat numpy scipy pandas matplotlib scikit-learn statsmodels nibabel papermill'.split(
    ' '
  );

/** The lines of requirements that what runs inside a container needs: not JupyterLab, and no tools of ours. */
export function scientificRequirements(text) {
  return text.split('\n').filter((line) => wanted.includes(line.split('==')[0]));
}

const constraints = join(checkout, 'scripts', 'constraints.txt');

/** The scientific packages in /opt/venv, at the versions of this checkout's own Python environment. */
export function packagesLayer() {
  // The bench runs papermill's way in the same image.
  const texts = ['scripts', 'bench'].map((folder) => readFileSync(join(checkout, folder, 'requirements.txt'), 'utf8'));
  const requirements = [...new Set(scientificRequirements(texts.join('\n')))];
  const key = keyOf(recipe, baseKey(), requirements, readFileSync(constraints, 'utf8'));
  const collect = async () => {
    await ensureBaseRoot();
    await installPackages(requirements);
    // A third of the files are the packages' own tests, which every node would have to unpack.
    return { root: baseRoot(), paths: [relative('/', packagesFolder)], exclude: ['*/site-packages/*/tests'] };
  };
  return layer('packages', key, collect, { takesLong: true });
}

async function installPackages(requirements) {
  console.log('Installing the scientific packages of the images (about a minute) ...');
  const inside = (path) => join(baseRoot(), path);
  rmSync(inside(packagesFolder), { recursive: true, force: true });
  copyFileSync('/etc/resolv.conf', inside('/etc/resolv.conf'));
  copyFileSync(constraints, inside('/tmp/constraints.txt'));
  const env = { PIP_NO_CACHE_DIR: '1', PIP_DISABLE_PIP_VERSION_CHECK: '1' };
  // What makes pip work on this machine makes it work in there.
  for (const name of ['PIP_INDEX_URL', 'PIP_EXTRA_INDEX_URL', 'HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'])
    if (process.env[name]) env[name] = process.env[name];
  if (existsSync('/etc/pip.conf')) copyFileSync('/etc/pip.conf', inside('/etc/pip.conf'));
  if (process.env.PIP_CERT) {
    copyFileSync(process.env.PIP_CERT, inside('/tmp/authorities.pem'));
    env.PIP_CERT = '/tmp/authorities.pem';
  }
  try {
    await inBase('/usr/bin/python3', ['-m', 'venv', packagesFolder]);
    const pip = ['-m', 'pip', 'install', '-q', '--no-compile', '-c', '/tmp/constraints.txt', ...requirements];
    await inBase(`${packagesFolder}/bin/python`, pip, env);
    await compile([`${packagesFolder}/lib`], ['-x', '/tests/']);
  } finally {
    for (const path of ['/etc/resolv.conf', '/etc/pip.conf', '/tmp/authorities.pem', '/tmp/constraints.txt'])
      rmSync(inside(path), { force: true });
  }
  // The Labscale package is a layer above this one, in the folder of the system's Python.
  const [python] = readdirSync(inside(`${packagesFolder}/lib`));
  writeFileSync(
    inside(`${packagesFolder}/lib/${python}/site-packages/labscale.pth`),
    '/usr/lib/python3/dist-packages\n'
  );
}

function sourcesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('__pycache__'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** The Python package `labscale`, where every Python of the image finds it, with a busybox for images that have no shell. */
export function labscaleLayer() {
  const files = sourcesBelow(helpers).map((file) => [relative(helpers, file), readFileSync(file, 'base64')]);
  const busybox = programOf('busybox-static');
  return layer('labscale', keyOf(recipe, baseKey(), files, readFileSync(busybox, 'base64')), async () => {
    await ensureBaseRoot();
    const staging = '/tmp/labscale-layer';
    const outside = join(baseRoot(), staging);
    rmSync(outside, { recursive: true, force: true });
    const package_ = join(outside, 'usr/lib/python3/dist-packages/labscale');
    for (const [path] of files) cpSync(join(helpers, path), join(package_, path));
    await compile([staging], ['-s', staging, '-p', '/']);
    mkdirSync(join(outside, 'opt/labscale/bin'), { recursive: true });
    copyFileSync(busybox, join(outside, 'opt/labscale/bin/busybox'));
    return { root: outside, paths: ['opt', 'usr'] };
  });
}
