// The Debian packages that the cluster stands on.
import { existsSync } from 'node:fs';
import { run } from '../../scripts/child.mjs';

/** A file of each package that shows that it is there. */
const packages = {
  containerd: ['/usr/bin/containerd', '/usr/local/bin/containerd'],
  runc: ['/usr/sbin/runc', '/usr/bin/runc', '/usr/local/sbin/runc'],
  'containernetworking-plugins': ['/usr/lib/cni/bridge'],
  // The kubelet asks for both at its start, although nothing here is translated.
  iptables: ['/usr/sbin/iptables'],
  conntrack: ['/usr/sbin/conntrack'],
  iproute2: ['/usr/sbin/ip', '/sbin/ip'],
  'busybox-static': ['/usr/bin/busybox', '/bin/busybox'],
  debootstrap: ['/usr/sbin/debootstrap'],
  'docker-registry': ['/usr/bin/docker-registry'],
  postgresql: ['/usr/lib/postgresql'],
  skopeo: ['/usr/bin/skopeo'],
  openssl: ['/usr/bin/openssl']
};

/** Where a program of a package is. */
export function programOf(name) {
  const found = packages[name].find(existsSync);
  if (!found) throw new Error(`${packages[name][0]} is missing: install the Debian package ${name}.`);
  return found;
}

/** Install what lacks, by apt-get as root; else reject with what to install. */
export async function ensurePackages(log) {
  const missing = Object.keys(packages).filter((name) => !packages[name].some(existsSync));
  if (missing.length === 0) return;
  if (process.getuid() !== 0 || !existsSync('/usr/bin/apt-get'))
    throw new Error(`These Debian packages are missing: apt-get install ${missing.join(' ')}`);
  console.log(`Installing ${missing.join(' ')} by apt-get ...`);
  // On a machine with an init system their own services would start; the cluster brings its own processes.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  await run('apt-get', ['update', '-q'], { env, log });
  await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], { env, log });
}
