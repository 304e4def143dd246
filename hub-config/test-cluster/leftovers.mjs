// Ends what containerd and the kubelet leave behind when they stop, and after a crash: containers, mounts, cgroups, links.
import { existsSync, lstatSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { run } from '../../scripts/child.mjs';
import { removeCgroup } from './cgroups.mjs';
import { containerdFolders } from './containerd.mjs';
import { kubeletFolder, podLogs } from './kubelet.mjs';
import { containerdSocket } from './places.mjs';
import { identityOf, isRunning } from './process-identity.mjs';

/** All processes: [{pid, parent, args}]. */
function processes() {
  const found = [];
  for (const name of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      found.push({ pid: Number(name), parent, args: readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0') });
    } catch (error) {
      if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error;
    }
  }
  return found;
}

/** Of all processes, those that keep our containers, which name our socket, with everything below them; children first. */
export function containerProcesses(all, socket) {
  const isKeeper = ({ args }) => args[0]?.includes('containerd-shim') && args[args.indexOf('-address') + 1] === socket;
  const below = (parent) =>
    all.filter((process) => process.parent === parent.pid).flatMap((child) => [...below(child), child]);
  return all
    .filter(isKeeper)
    .flatMap((keeper) => [...below(keeper), keeper])
    .map(({ pid }) => pid);
}

async function endContainers() {
  for (let left = [0]; left.length > 0;) {
    left = containerProcesses(processes(), containerdSocket).map(identityOf).filter(Boolean);
    for (const { pid } of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    }
    while (left.some(isRunning)) await wait(20);
  }
}

/** The mounts at and below folders, the deepest first. `table` is the text of /proc/self/mountinfo. */
export function mountsBelow(table, folders) {
  return table
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter(Boolean)
    .map((path) => path.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8))))
    .filter((path) => folders.some((folder) => path === folder || path.startsWith(`${folder}/`)))
    .reverse();
}

async function unmount() {
  const folders = [containerdFolders.root, containerdFolders.state, kubeletFolder];
  const mounts = mountsBelow(readFileSync('/proc/self/mountinfo', 'utf8'), folders);
  for (let at = 0; at < mounts.length; at += 100) await run('umount', ['--lazy', ...mounts.slice(at, at + 100)]);
}

/** The sockets of shims are outside of our folders; each shim's bundle says where. */
function removeShimSockets() {
  const bundles = join(containerdFolders.state, 'io.containerd.runtime.v2.task', 'k8s.io');
  if (!existsSync(bundles)) return;
  for (const name of readdirSync(bundles)) {
    const address = join(bundles, name, 'address');
    if (existsSync(address)) rmSync(readFileSync(address, 'utf8').trim().replace('unix://', ''), { force: true });
  }
}

/** The kubelet links each container's log into a folder of the machine. */
function removeLogLinks() {
  const folder = '/var/log/containers';
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const link = join(folder, name);
    if (lstatSync(link).isSymbolicLink() && readlinkSync(link).startsWith(`${podLogs}/`)) rmSync(link);
  }
}

/** Called when containerd and the kubelet do not run any more. */
export async function removeLeftovers() {
  await endContainers();
  await unmount();
  removeShimSockets();
  removeLogLinks();
  await removeCgroup();
  for (const folder of [containerdFolders.state, containerdFolders.network])
    rmSync(folder, { recursive: true, force: true });
}
