// The cluster's own certificate authority and what it signs.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../scripts/child.mjs';
import { bridge, inState, nodeName, serviceAddresses } from './places.mjs';

const folder = inState('certificates');
const days = '3650';
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-sha256'];
const openssl = (...args) => run('openssl', args);

/** The names and addresses each program is reached by, and for clients the user and group that RBAC knows them by. */
const leaves = {
  apiserver: {
    subject: '/CN=kube-apiserver',
    names: [
      'DNS:localhost',
      'DNS:kubernetes',
      'DNS:kubernetes.default',
      'DNS:kubernetes.default.svc',
      'IP:127.0.0.1',
      `IP:${bridge.address}`,
      `IP:${serviceAddresses.first}`
    ]
  },
  // Of the controller-manager and the scheduler, for their health pages.
  loopback: { subject: '/CN=loopback', names: ['DNS:localhost', 'IP:127.0.0.1'] },
  kubelet: { subject: `/O=system:nodes/CN=system:node:${nodeName}`, names: [`DNS:${nodeName}`, 'IP:127.0.0.1'] },
  admin: { subject: '/O=system:masters/CN=labscale-admin' },
  controllers: { subject: '/CN=system:kube-controller-manager' },
  scheduler: { subject: '/CN=system:kube-scheduler' }
};

/** The files of one certificate: {certificate, key}. `serviceAccounts` is the pair that signs tokens, without a certificate. */
export const certificate = (name) => ({ certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) });

/** True where this cluster was started on this machine, and did not only take another one. */
export const haveCertificates = () => existsSync(folder);

/** Make what lacks. All are made anew together, for a new authority knows none of the old. */
export async function makeCertificates() {
  if (haveCertificates()) return;
  const making = `${folder}.making`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making, { recursive: true, mode: 0o700 });
  const at = (name) => join(making, name);
  await openssl(
    ...['req', '-x509', ...newKey, '-days', days, '-subj', '/CN=labscale-test-cluster'],
    ...['-keyout', at('ca.key'), '-out', at('ca.crt')]
  );
  for (const [name, { subject, names }] of Object.entries(leaves)) {
    const request = at(`${name}.request`);
    const extensions = at(`${name}.extensions`);
    writeFileSync(
      extensions,
      [
        'basicConstraints=CA:FALSE',
        'keyUsage=digitalSignature',
        `extendedKeyUsage=clientAuth${names ? ',serverAuth' : ''}`,
        ...(names ? [`subjectAltName=${names.join(',')}`] : [])
      ].join('\n')
    );
    await openssl('req', '-new', ...newKey, '-subj', subject, '-keyout', at(`${name}.key`), '-out', request);
    await openssl(
      ...['x509', '-req', '-sha256', '-days', days, '-in', request, '-extfile', extensions],
      ...['-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial', '-out', at(`${name}.crt`)]
    );
  }
  await openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', at('serviceAccounts.key'));
  await openssl('ec', '-in', at('serviceAccounts.key'), '-pubout', '-out', at('serviceAccounts.pub'));
  renameSync(making, folder);
}

export const serviceAccountKeys = {
  signs: join(folder, 'serviceAccounts.key'),
  checks: join(folder, 'serviceAccounts.pub')
};
