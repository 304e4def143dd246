import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditPolicy } from './audit-policy.mjs';
import { renderConfig, renderNetwork } from './containerd.mjs';
import { renderKubeconfig } from './kubeconfig.mjs';
import { kwokNode } from './kwok.mjs';
import { serverPolicy } from './object-store.mjs';
import { otherKubernetes } from './other-kubernetes.mjs';
import { adminKubeconfig } from './places.mjs';
import { scientificRequirements } from './python-layers.mjs';

test('containerd keeps to its own folders, whatever is in their names', () => {
  const text = renderConfig({
    ...{ root: '/a "b"/root', state: '/a "b"/state', socket: '/a "b"/s' },
    ...{ cni: '/cni', hosts: '/hosts', sandbox: 'registry/pause:1' }
  });
  assert.match(text, /^root = "\/a \\"b\\"\/root"$/m);
  assert.match(text, /^ {2}address = "\/a \\"b\\"\/s"$/m);
  assert.match(text, /restrict_oom_score_adj = true/);
  assert.match(text, /netns_mounts_under_state_dir = true/);
});

test('pods get no way out of the bridge, and the machine does not start to forward packets', () => {
  const [{ isGateway, ipMasq, ipam }] = renderNetwork('/data').plugins;
  assert.deepEqual({ isGateway, ipMasq, routes: ipam.routes }, { isGateway: false, ipMasq: false, routes: undefined });
});

test('the audit log holds no content of any object', () => {
  assert.deepEqual([...new Set(auditPolicy.rules.map(({ level }) => level))].sort(), ['Metadata', 'None']);
});

test('a node of KWOK keeps ordinary pods away', () => {
  assert.deepEqual(kwokNode(3).spec.taints, [{ key: 'kwok.x-k8s.io/node', value: 'fake', effect: 'NoSchedule' }]);
});

test("the server's user may do nothing to all buckets, and nothing with users or policies", () => {
  for (const { Action, Resource } of serverPolicy.Statement) {
    for (const action of Action) assert.match(action, /^s3:[A-Za-z]+$/);
    for (const resource of Resource) assert.match(resource, /^arn:aws:s3:::labscale(-data)?(\/\*)?$/);
  }
});

test('a kubeconfig is written for one user of one cluster', () => {
  const { contexts, users } = JSON.parse(renderKubeconfig({ server: 'https://x' }, { token: 't' }, 'labscale-runs'));
  assert.deepEqual(contexts[0].context, { cluster: 'labscale-test', user: 'user', namespace: 'labscale-runs' });
  assert.deepEqual(users, [{ name: 'user', user: { token: 't' } }]);
});

test('another cluster is taken only with a store that its pods can reach; our own kubeconfig is no other cluster', () => {
  assert.equal(otherKubernetes({}), undefined);
  assert.equal(otherKubernetes({ KUBECONFIG: adminKubeconfig }), undefined);
  assert.throws(() => otherKubernetes({ KUBECONFIG: '/not-there' }), /KUBECONFIG names \/not-there/);
  assert.throws(() => otherKubernetes({ KUBECONFIG: '/etc/hostname' }), /set LABSCALE_S3_ENDPOINT too/);
  // Our own MinIO is not one that other pods reach.
  assert.throws(
    () => otherKubernetes({ KUBECONFIG: '/etc/hostname', LABSCALE_S3_ENDPOINT: 'http://127.0.0.1:27420' }),
    /set LABSCALE_S3_ENDPOINT too/
  );
  assert.deepEqual(otherKubernetes({ KUBECONFIG: '/etc/hostname', LABSCALE_S3_ENDPOINT: 'http://s3.example' }), {
    kubeconfig: '/etc/hostname',
    registry: undefined
  });
});

test('images get the packages of notebooks, and not JupyterLab', () => {
  const text =
    '# A comment\njupyterlab==1\nnumpy==2; python_version >= "3.11"\nnumpy==1; python_version < "3.11"\nruff==3\n';
  assert.deepEqual(scientificRequirements(text), [
    'numpy==2; python_version >= "3.11"',
    'numpy==1; python_version < "3.11"'
  ]);
});
