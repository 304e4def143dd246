// Kubeconfig files. They are written as JSON, which is YAML too.
import { readFileSync, writeFileSync } from 'node:fs';
import { certificate } from './certificates.mjs';
import { onLoopback } from './places.mjs';

/** The text of a kubeconfig with one cluster `{server, 'certificate-authority-data'}` and one user of it. */
export function renderKubeconfig(cluster, user, namespace) {
  return `${JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'labscale-test', cluster }],
      users: [{ name: 'user', user }],
      contexts: [
        { name: 'labscale-test', context: { cluster: 'labscale-test', user: 'user', ...(namespace && { namespace }) } }
      ],
      'current-context': 'labscale-test'
    },
    null,
    2
  )}\n`;
}

const inBase64 = (file) => readFileSync(file).toString('base64');

/** The access to the cluster of this machine. */
export const ownCluster = () => ({
  server: `https://${onLoopback('apiserver')}`,
  'certificate-authority-data': inBase64(certificate('ca').certificate)
});

/** Write a kubeconfig for the holder of one of our client certificates. */
export function writeClientKubeconfig(file, name) {
  const { certificate: signed, key } = certificate(name);
  const user = { 'client-certificate-data': inBase64(signed), 'client-key-data': inBase64(key) };
  writeFileSync(file, renderKubeconfig(ownCluster(), user), { mode: 0o600 });
}
