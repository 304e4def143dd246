// Brings the cluster up: everything that does not run or answer yet, and nothing else.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { ensure } from './component.mjs';
import { readDescription, writeDescription } from './description.mjs';
import { kwok, makeKwokNodes } from './kwok.mjs';
import { keyOf } from './layer.mjs';
import { minio } from './minio.mjs';
import { manifests, prepareNamespace } from './namespace.mjs';
import { otherEndpoint, prepareMinio, prepareOtherStore, serverPolicy } from './object-store.mjs';
import { otherKubernetes, takeOtherKubernetes } from './other-kubernetes.mjs';
import { bringOwnKubernetes, prepareMachine } from './own-kubernetes.mjs';
import { ensurePackages } from './packages.mjs';
import { inState, runsNamespace, serverKubeconfig, state } from './places.mjs';
import { ensureDatabase, postgres, postgresUrl } from './postgres.mjs';
import { lookAt } from './processes.mjs';
import { ensurePrograms, programs } from './programs.mjs';
import { together } from './together.mjs';

/** What namespace and store were set up from, so that a second `up` does not set them up again. */
const prepared = inState('prepared');

/**
 * Bring everything up and write cluster.json; `withKwok` adds the nodes of KWOK. The variables of `env` may name another
 * cluster (KUBECONFIG) or another store (LABSCALE_S3_ENDPOINT). Gives the names of what had to be started.
 */
export async function up({ withKwok = false, env = process.env } = {}) {
  const other = otherKubernetes(env);
  if (other && withKwok) throw new Error('--kwok adds nodes to the cluster of this machine only: unset KUBECONFIG.');
  mkdirSync(state, { recursive: true, mode: 0o700 });
  await ensurePackages(inState('packages.log'));
  await ensurePrograms();
  if (!other) await prepareMachine();

  const started = [];
  const bring = async (component) => {
    const begin = Date.now();
    if (!(await ensure(component))) return;
    started.push(component.name);
    console.log(`${component.name} is up (${((Date.now() - begin) / 1_000).toFixed(1)} s)`);
  };
  const before = readDescription();
  const key = keyOf(
    manifests.map((file) => readFileSync(file, 'utf8')),
    serverPolicy,
    other?.kubeconfig ?? '',
    otherEndpoint(env) ?? ''
  );
  const isPrepared = before && existsSync(prepared) && readFileSync(prepared, 'utf8') === key;

  const store = async () => {
    const otherStore = await prepareOtherStore(env);
    if (otherStore) return otherStore;
    await bring(minio);
    return isPrepared ? before.s3 : prepareMinio();
  };
  const database = async () => {
    await bring(postgres);
    await ensureDatabase();
  };
  const [s3, kubernetes] = await together(
    store(),
    other ? takeOtherKubernetes(other) : bringOwnKubernetes(bring),
    database()
  );
  if (!isPrepared) {
    await prepareNamespace(kubernetes.kubeconfig);
    writeFileSync(prepared, key);
  }
  if (withKwok || (!other && lookAt(kwok.name).state === 'died')) {
    await bring(kwok);
    if (started.includes(kwok.name)) await makeKwokNodes();
  }
  writeDescription({
    ...kubernetes,
    images: Object.fromEntries(Object.entries(kubernetes.images).map(([name, { reference }]) => [name, reference])),
    serverKubeconfig,
    namespace: runsNamespace,
    s3,
    postgres: { url: postgresUrl() },
    programs
  });
  return started;
}
