// The control group that all pods of this cluster are below. A kubelet ends what it finds in its group and does not know:
// with a group of its own it leaves the pods of another kubelet of this machine alone.
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const mounted = '/sys/fs/cgroup';
export const cgroup = '/labscale-test-cluster';

const isUnified = () => existsSync(join(mounted, 'cgroup.controllers'));

/** The folder of each hierarchy: version 2 has one, version 1 one for each controller. */
function hierarchies() {
  if (isUnified()) return [mounted];
  return readdirSync(mounted)
    .map((name) => join(mounted, name))
    .filter((folder) => !lstatSync(folder).isSymbolicLink() && existsSync(join(folder, 'cgroup.procs')));
}

const read = (...path) => readFileSync(join(...path), 'utf8').trim();

export function makeCgroup() {
  for (const hierarchy of hierarchies()) {
    const own = join(hierarchy, cgroup);
    mkdirSync(own, { recursive: true });
    // In version 1 a new group has no processors and no memory, and nothing can be started in it.
    for (const file of ['cpuset.cpus', 'cpuset.mems'])
      if (!isUnified() && existsSync(join(own, file)) && read(own, file) === '')
        writeFileSync(join(own, file), read(hierarchy, file));
    // In version 2 a group hands on to those below it only what it is told to.
    if (isUnified()) {
      for (const folder of [hierarchy, own]) {
        const on = new Set(read(folder, 'cgroup.subtree_control').split(' '));
        const off = read(folder, 'cgroup.controllers')
          .split(' ')
          .filter((name) => name && !on.has(name));
        if (off.length > 0)
          writeFileSync(join(folder, 'cgroup.subtree_control'), off.map((name) => `+${name}`).join(' '));
      }
    }
  }
}

/** Called when no process is left in it. */
export async function removeCgroup() {
  const remove = async (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) await remove(join(folder, entry.name));
    for (let attempt = 1; ; attempt++) {
      try {
        return rmdirSync(folder);
      } catch (error) {
        // The kernel takes a moment to take a process that has ended out of its group.
        if (error.code !== 'EBUSY' || attempt === 50) throw error;
        await wait(20);
      }
    }
  };
  for (const hierarchy of hierarchies()) {
    const own = join(hierarchy, cgroup);
    if (existsSync(own)) await remove(own);
  }
}
