// Builds the programs that no Debian package has, once per version.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../scripts/child.mjs';
import { underLock } from './lock.mjs';
import { programCache, sources } from './places.mjs';

const module = join(sources, 'kubernetes');
const required = readFileSync(join(module, 'go.mod'), 'utf8');
const versionOf = (name) => new RegExp(`^\\s*(?:require )?${name} v(\\S+)`, 'm').exec(required)[1];
const kubernetes = versionOf('k8s.io/kubernetes');
const kubernetesPrograms = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kubectl'];
const minio = { release: '20260212201848', version: 'v0.0.0-20260212201848-7aac2a2c5b7c' };
const kwok = '0.8.0';

const building = (flags, target) => (folder, env) =>
  run('go', ['build', '-mod=mod', '-ldflags', `-s -w ${flags}`, '-o', ...target(folder)], { cwd: module, env });
const installing = (target) => (folder, env) =>
  run('go', ['install', '-ldflags', '-s -w', target], { env: { ...env, GOBIN: folder } });

const builds = [
  {
    name: `kubernetes-${kubernetes}`,
    programs: kubernetesPrograms,
    takes: 'about 8 minutes',
    build: building(`-X k8s.io/component-base/version.gitVersion=v${kubernetes}`, (folder) => [
      `${folder}/`,
      ...kubernetesPrograms.map((name) => `k8s.io/kubernetes/cmd/${name}`)
    ])
  },
  {
    // Debian's etcd is too old to tell how far a watch has come, without which this apiserver serves no list from its memory.
    name: `etcd-${versionOf('go.etcd.io/etcd/server/v3')}`,
    programs: ['etcd'],
    takes: 'about a minute',
    build: building('', (folder) => [join(folder, 'etcd'), 'go.etcd.io/etcd/server/v3'])
  },
  {
    name: `minio-${minio.release}`,
    programs: ['minio'],
    takes: 'about 3 minutes',
    build: installing(`github.com/minio/minio@${minio.version}`)
  },
  {
    name: `kwok-${kwok}`,
    programs: ['kwok'],
    takes: 'about a minute',
    build: installing(`sigs.k8s.io/kwok/cmd/kwok@v${kwok}`)
  }
];

/** Paths of the built programs by name. */
export const programs = Object.fromEntries(
  builds.flatMap(({ name, programs }) => programs.map((program) => [program, join(programCache, name, program)]))
);

const isBuilt = ({ name, programs }) => programs.every((program) => existsSync(join(programCache, name, program)));

/** Build what the cache lacks; says what it does. */
export async function ensurePrograms() {
  if (builds.every(isBuilt)) return;
  await run('go', ['version'], {
    mend: 'Go 1.24 or newer is needed to build the programs of the cluster: https://go.dev/dl.'
  });
  await underLock(join(programCache, 'build.lock'), async () => {
    for (const build of builds.filter((build) => !isBuilt(build))) {
      const start = Date.now();
      process.stdout.write(`Building ${build.name} (${build.takes}) ... `);
      const folder = join(programCache, build.name);
      const making = `${folder}.making`;
      rmSync(making, { recursive: true, force: true });
      mkdirSync(making, { recursive: true });
      await build.build(making, { ...process.env, CGO_ENABLED: '0' });
      rmSync(folder, { recursive: true, force: true });
      renameSync(making, folder);
      console.log(`${((Date.now() - start) / 1_000).toFixed(0)} s`);
    }
  });
}
