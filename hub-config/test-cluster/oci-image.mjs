// An image as a folder of files (the layout of the Open Container Initiative), with each layer by itself.
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const types = 'application/vnd.oci.image';
const digestOf = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch] ?? process.arch;

/**
 * The documents of an image: {manifest, config} as {bytes, digest}. `layers` are {digest, size, diffId} from the lowest up,
 * `settings` what a container of it starts with (Env, User, Entrypoint, ...). The same input gives the same bytes.
 */
export function renderImage(layers, settings) {
  const config = Buffer.from(
    JSON.stringify({
      created: '1970-01-01T00:00:00Z',
      architecture,
      os: 'linux',
      config: settings,
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) }
    })
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${types}.manifest.v1+json`,
      config: { mediaType: `${types}.config.v1+json`, digest: digestOf(config), size: config.length },
      layers: layers.map(({ digest, size }) => ({ mediaType: `${types}.layer.v1.tar+gzip`, digest, size }))
    })
  );
  return {
    manifest: { bytes: manifest, digest: digestOf(manifest) },
    config: { bytes: config, digest: digestOf(config) }
  };
}

/** Write an image to `folder`. Layers are {digest, size, diffId, file}; their files are linked, not copied. */
export function writeImage(folder, { manifest, config }, layers) {
  rmSync(folder, { recursive: true, force: true });
  const blobs = join(folder, 'blobs', 'sha256');
  const blob = (digest) => join(blobs, digest.slice('sha256:'.length));
  mkdirSync(blobs, { recursive: true });
  for (const { bytes, digest } of [manifest, config]) writeFileSync(blob(digest), bytes);
  for (const { file, digest } of layers) symlinkSync(file, blob(digest));
  writeFileSync(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(
    join(folder, 'index.json'),
    JSON.stringify({
      schemaVersion: 2,
      manifests: [{ mediaType: `${types}.manifest.v1+json`, digest: manifest.digest, size: manifest.bytes.length }]
    })
  );
}
