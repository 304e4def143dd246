// Brings the cluster up: everything that does not run or answer yet, and nothing else.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiserver, auditLog } from './apiserver.mjs';
import { ensureBridge } from './bridge.mjs';
import { makeCertificates } from './certificates.mjs';
import { ensure } from './component.mjs';
import { containerd } from './containerd.mjs';
import { apiRate, controllers, scheduler } from './controllers.mjs';
import { readDescription, writeDescription } from './description.mjs';
import { etcd } from './etcd.mjs';
import { makeImages, pullImages, pushImages } from './images.mjs';
import { kubelet } from './kubelet.mjs';
import { kwok, makeKwokNodes } from './kwok.mjs';
import { keyOf } from './layer.mjs';
import { minio } from './minio.mjs';
import { prepareNamespace } from './namespace.mjs';
import { prepareMinio, prepareOtherStore, serverPolicy } from './object-store.mjs';
import { otherPlaces } from './other-places.mjs';
import { ensurePackages } from './packages.mjs';
import * as places from './places.mjs';
import { ensureDatabase, postgres, postgresUrl } from './postgres.mjs';
import { ensurePrograms, programs } from './programs.mjs';
import { registry } from './registry.mjs';

/** Wait for all; an error is thrown when the last has ended, so that nothing goes on behind it. */
async function all(...works) {
  const ends = await Promise.allSettled(works);
  const failed = ends.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
  return ends.map(({ value }) => value);
}

/** What the namespace and the store's user were made from, so that a second `up` does not make them again. */
const prepared = places.inState('prepared');
const preparedKey = (kubeconfig) =>
  keyOf(readFileSync(join(places.sources, 'namespace.yaml'), 'utf8'), serverPolicy, kubeconfig);

/** Bring everything up and write cluster.json. `withKwok` adds the nodes of KWOK. Gives what had to be started. */
export async function up({ withKwok = false, env = process.env } = {}) {
  const other = otherPlaces(env);
  if (process.getuid() !== 0)
    throw new Error('The test cluster runs as root: containerd, the kubelet and the bridge need it.');
  mkdirSync(places.state, { recursive: true, mode: 0o700 });
  await ensurePackages(places.inState('packages.log'));
  await ensurePrograms();
  const started = [];
  const bring = async (component) => {
    const begin = Date.now();
    if (!(await ensure(component))) return;
    started.push(component.name);
    console.log(`${component.name} is up (${((Date.now() - begin) / 1_000).toFixed(1)} s)`);
  };
  const kubeconfig = other.kubeconfig ?? places.adminKubeconfig;
  if (!other.kubeconfig) {
    await makeCertificates();
    await ensureBridge();
  }
  const before = readDescription();

  const store = async () => {
    if (other.store) return prepareOtherStore(env);
    await bring(minio);
    return isPrepared ? before.s3 : prepareMinio();
  };
  const database = async () => {
    await bring(postgres);
    await ensureDatabase();
  };
  const control = async () => {
    if (other.kubeconfig) return;
    await bring(etcd);
    await bring(apiserver);
    await all(bring(controllers), bring(scheduler));
  };
  const images = async () => {
    if (!other.kubeconfig) await bring(registry);
    else if (!other.registry) return {};
    const made = await makeImages(other.registry);
    await pushImages(made);
    return made;
  };
  const isPrepared =
    before !== undefined && existsSync(prepared) && readFileSync(prepared, 'utf8') === preparedKey(kubeconfig);

  const [s3, , , made] = await all(
    store(),
    database(),
    control(),
    (async () => {
      const [made] = await all(images(), other.kubeconfig ? undefined : bring(containerd));
      if (!other.kubeconfig) await pullImages(made);
      return made;
    })()
  );
  if (!other.kubeconfig) await bring(kubelet);
  if (!isPrepared) {
    await prepareNamespace(kubeconfig);
    writeFileSync(prepared, preparedKey(kubeconfig));
  }
  if (withKwok && !other.kubeconfig) {
    await bring(kwok);
    if (started.includes(kwok.name)) await makeKwokNodes();
  }
  writeDescription({
    kubeconfig,
    serverKubeconfig: places.serverKubeconfig,
    namespace: places.runsNamespace,
    s3,
    postgres: { url: postgresUrl() },
    registry: other.kubeconfig
      ? { url: other.registry && `http://${other.registry}`, podHost: other.registry }
      : { url: `http://${places.onBridge('registry')}`, podHost: places.onBridge('registry') },
    images: Object.fromEntries(
      Object.entries(made)
        .filter(([name]) => name !== 'pause')
        .map(([name, { reference }]) => [name, reference])
    ),
    programs,
    ...(!other.kubeconfig && { bridge: places.bridge.address, auditLog, apiRate })
  });
  return started;
}
