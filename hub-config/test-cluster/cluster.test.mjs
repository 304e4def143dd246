// Tests of the running cluster: what pods of a run find there, and what they must not reach.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { description } from './places.mjs';
import { send } from './s3-request.mjs';

const file = process.env.LABSCALE_TEST_CLUSTER || description;
const cluster = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
const absent = cluster ? false : 'there is no test cluster; `npm run cluster -- up` starts one';
const onCluster = { skip: absent, timeout: 120_000 };
const made = [];

const kubectl = async (kubeconfig, ...args) =>
  (await promisify(execFile)(cluster.programs.kubectl, ['--kubeconfig', kubeconfig, '-n', cluster.namespace, ...args]))
    .stdout;
const asAdmin = (...args) => kubectl(cluster.kubeconfig, ...args);

function podOf(image, command, security = {}) {
  const name = `cluster-test-${randomBytes(4).toString('hex')}`;
  made.push(name);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      volumes: [{ name: 'tmp', emptyDir: {} }],
      containers: [
        {
          name: 'main',
          image,
          command,
          volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
            ...security
          }
        }
      ]
    }
  };
}

async function create(pod) {
  const child = spawn(cluster.programs.kubectl, [
    ...['--kubeconfig', cluster.kubeconfig, '-n', cluster.namespace, 'create', '-f', '-']
  ]);
  let said = '';
  child.stderr.on('data', (text) => (said += text));
  child.stdin.end(JSON.stringify(pod));
  const [code] = await once(child, 'close');
  return { code, said };
}

/** Run a command in a pod to its end. Gives {phase, log}. */
async function runInPod(image, ...command) {
  const pod = podOf(image, command);
  assert.deepEqual(await create(pod), { code: 0, said: '' });
  for (;;) {
    const { status } = JSON.parse(await asAdmin('get', 'pod', pod.metadata.name, '-o', 'json'));
    if (status.phase === 'Succeeded' || status.phase === 'Failed')
      return { phase: status.phase, log: await asAdmin('logs', pod.metadata.name) };
    await wait(250);
  }
}

after(async () => {
  if (made.length > 0) await asAdmin('delete', 'pod', '--ignore-not-found', '--now', ...made);
});

if (process.env.LABSCALE_TEST_CLUSTER_REQUIRED === '1') test('there is a cluster', () => assert.equal(absent, false));

test('the scientific image has its packages compiled for a root that is read-only', onCluster, async () => {
  const { phase, log } = await runInPod(
    cluster.images.scientific,
    'python3',
    '-c',
    `import importlib.util, json, numpy, labscale, os
# A compiled file says in its second four bytes: 1 is good whatever the age of its source.
flags = [open(importlib.util.cache_from_source(m.__file__), 'rb').read(8)[4] for m in (json, numpy, labscale)]
print(os.getuid(), flags)`
  );
  assert.deepEqual({ phase, log: log.trim() }, { phase: 'Succeeded', log: '1000 [1, 1, 1]' });
});

test('a pod reaches the store, and neither the apiserver nor a way out', onCluster, async () => {
  const { endpoint, podEndpoint } = cluster.s3;
  const server = new URL(JSON.parse(readFileSync(cluster.serverKubeconfig, 'utf8')).clusters[0].cluster.server);
  const { phase, log } = await runInPod(
    cluster.images.agent,
    'python3',
    '-c',
    `import socket, urllib.request
print(urllib.request.urlopen('${podEndpoint}/minio/health/live', timeout=10).status)
for place in [('${server.hostname}', ${server.port}), ('${cluster.bridge}', ${server.port}), ('192.0.2.1', 80)]:
    try: socket.create_connection(place, timeout=5); print('reached', place)
    except OSError: print('not reached')`
  );
  assert.deepEqual({ phase, log }, { phase: 'Succeeded', log: `200\n${'not reached\n'.repeat(3)}` });
  assert.notEqual(endpoint, podEndpoint);
});

test('a pod that wants more than the restricted profile allows is refused', onCluster, async () => {
  const { code, said } = await create(podOf(cluster.images.plain, ['true'], { allowPrivilegeEscalation: true }));
  assert.equal(code, 1);
  assert.match(said, /violates PodSecurity "restricted/);
});

test("the server's account may do what runs take, and no more", onCluster, async () => {
  const may = async (verb, resource, ...rest) =>
    (
      await kubectl(cluster.serverKubeconfig, 'auth', 'can-i', verb, resource, ...rest).catch(({ stdout }) => stdout)
    ).trim();
  for (const allowed of ['create jobs.batch', 'watch jobs.batch', 'list pods', 'create secrets', 'delete secrets'])
    assert.equal(await may(...allowed.split(' ')), 'yes', allowed);
  for (const refused of ['list secrets', 'get secrets', 'create pods', 'list nodes', 'list pods -n default'])
    assert.equal(await may(...refused.split(' ')), 'no', refused);
});

test("the server's user writes to its bucket, and makes no other and writes no data bucket", onCluster, async () => {
  const { s3 } = cluster;
  const put = async (path, body) => (await send(s3, 'PUT', path, { body: Buffer.from(body) })).status;
  const key = `/${s3.bucket}/cluster-test/${randomBytes(4).toString('hex')} ü`;
  assert.equal(await put(key, 'a shard'), 200);
  assert.equal((await send(s3, 'GET', key)).text, 'a shard');
  assert.equal((await send(s3, 'DELETE', key)).status, 204);
  assert.equal(await put(`/${s3.dataBucket}/x`, 'x'), 403);
  assert.equal(await put('/another-bucket', ''), 403);
});
