// The namespace of runs, and the labscale server's account with what it may do there.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../scripts/child.mjs';
import { renderKubeconfig } from './kubeconfig.mjs';
import { runsNamespace, serverKubeconfig, serverNamespace, sources } from './places.mjs';
import { programs } from './programs.mjs';

/** What an operator applies, but for the server itself, which runs beside the cluster in tests. */
export const manifests = ['namespaces', 'service-account', 'role', 'network-policy'].map((name) =>
  join(sources, '..', 'kubernetes', `${name}.yaml`)
);
const account = 'labscale-server';
const hoursOfToken = 8_760;

/** Apply namespaces, account and Role to the cluster of a kubeconfig, and write the account's own kubeconfig. */
export async function prepareNamespace(kubeconfig) {
  const kubectl = async (...args) => (await run(programs.kubectl, ['--kubeconfig', kubeconfig, ...args])).stdout;
  await kubectl('apply', ...manifests.flatMap((file) => ['-f', file]));
  const token = await kubectl(
    'create',
    'token',
    account,
    '--namespace',
    serverNamespace,
    `--duration=${hoursOfToken}h`
  );
  const [entry] = JSON.parse(await kubectl('config', 'view', '--minify', '--raw', '--flatten', '-o', 'json')).clusters;
  writeFileSync(serverKubeconfig, renderKubeconfig(entry.cluster, { token: token.trim() }, runsNamespace), {
    mode: 0o600
  });
}
