// The images of the cluster: what is in each, and how they come into the registry and from there to the node.
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../scripts/child.mjs';
import { ctr, sandboxImage } from './containerd.mjs';
import { keyOf, layer } from './layer.mjs';
import { renderImage, writeImage } from './oci-image.mjs';
import { programOf } from './packages.mjs';
import { inState } from './places.mjs';
import { baseLayer, labscaleLayer, packagesFolder, packagesLayer } from './python-layers.mjs';

const applets =
  'awk cat chmod cp cut date dd echo env expr false find grep head id ls md5sum mkdir mv printf pwd rm sed seq sh sha256sum sleep sort stat sync tail tar tee test touch tr true uname wc wget xargs yes'.split(
    ' '
  );

/** A busybox and nothing else. */
function busyboxLayer() {
  const busybox = programOf('busybox-static');
  return layer('busybox', keyOf(applets, readFileSync(busybox, 'base64')), () => {
    const root = inState('busybox');
    rmSync(root, { recursive: true, force: true });
    for (const folder of ['bin', 'tmp']) mkdirSync(join(root, folder), { recursive: true });
    copyFileSync(busybox, join(root, 'bin/busybox'));
    for (const applet of applets) symlinkSync('busybox', join(root, 'bin', applet));
    return { root, paths: ['bin', 'tmp'] };
  });
}

const user = { User: '1000:1000', WorkingDir: '/tmp' };
const path = '/usr/local/bin:/usr/bin:/bin:/opt/labscale/bin';
// The root of a container is read-only, and HOME would be there.
const home = 'HOME=/tmp';

/** Every image: its layers from the lowest up, and what a container of it starts with. */
async function parts() {
  const base = await baseLayer();
  const labscale = await labscaleLayer();
  const packages = await packagesLayer();
  const busybox = await busyboxLayer();
  return {
    // Kept alive by the kubelet for as long as its pod; it only has to wait.
    pause: { layers: [busybox], settings: { Env: ['PATH=/bin'], Entrypoint: ['/bin/busybox', 'sleep', '2147483647'] } },
    plain: { layers: [busybox], settings: { ...user, Env: ['PATH=/bin', home], Cmd: ['/bin/sh'] } },
    agent: { layers: [base, labscale], settings: { ...user, Env: [`PATH=${path}`, home], Cmd: ['python3'] } },
    scientific: {
      layers: [base, packages, labscale],
      settings: { ...user, Env: [`PATH=${packagesFolder}/bin:${path}`, home], Cmd: ['python3'] }
    }
  };
}

/**
 * Make every image. Gives by name {reference, digest, folder}; a reference names the content, so that a changed image is
 * another reference and nobody runs an old one under its name.
 */
export async function makeImages(registry) {
  const made = {};
  for (const [name, { layers, settings }] of Object.entries(await parts())) {
    const image = renderImage(layers, settings);
    const digest = image.manifest.digest;
    const folder = inState('images', name);
    writeImage(folder, image, layers);
    const reference =
      name === 'pause' ? sandboxImage : `${registry}/labscale/${name}:${digest.slice('sha256:'.length, 19)}`;
    made[name] = { reference, digest, folder };
  }
  return made;
}

/** True where a registry holds exactly this image. One that is not plain http is left to skopeo. */
async function isIn(reference, digest) {
  const [, host, repository, tag] = /^([^/]+)\/(.+):([^:]+)$/.exec(reference);
  try {
    const answer = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, {
      method: 'HEAD',
      // Without it the registry denies that it has an image of this kind.
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' }
    });
    return answer.headers.get('docker-content-digest') === digest;
  } catch {
    return false;
  }
}

/** Bring images into the registry; layers that it has are not sent again. */
export async function pushImages(images) {
  for (const { reference, digest, folder } of Object.values(images)) {
    if (await isIn(reference, digest)) continue;
    await run(programOf('skopeo'), [
      ...['--insecure-policy', 'copy', '--quiet', '--preserve-digests', '--dest-tls-verify=false'],
      ...[`oci:${folder}`, `docker://${reference}`]
    ]);
  }
}

/** Bring images from the registry to the node, so that no pod waits for its image. */
export async function pullImages(images) {
  const { stdout } = await ctr('images', 'ls', '-q');
  const there = new Set(stdout.split('\n'));
  for (const { reference } of Object.values(images))
    if (!there.has(reference)) await ctr('images', 'pull', '--plain-http', reference);
}
