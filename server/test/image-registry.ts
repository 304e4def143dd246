import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const program = '/usr/bin/docker-registry';
const busybox = '/bin/busybox';

/** Says why, where this machine cannot run a registry and fill it; then its tests are skipped. */
export function missingForRegistry(): string | undefined {
  const missing = [program, '/usr/bin/skopeo', busybox].filter((path) => !existsSync(path));
  return missing.length === 0
    ? undefined
    : `${missing.join(', ')} not installed (apt install docker-registry skopeo busybox-static)`;
}

export interface ImageConfig {
  Entrypoint?: string[];
  Cmd?: string[];
  WorkingDir?: string;
}

/** A registry of its own on loopback, with its storage in a temporary folder. */
export interface ImageRegistry {
  /** `127.0.0.1:port`, as references begin. */
  host: string;
  folder: string;
  /** Pushes an image of one layer, in which is a busybox; returns the digest of its manifest. */
  push: (nameAndTag: string, config: ImageConfig, architecture?: string) => Promise<string>;
  /** Puts any manifest as it is; returns its digest. */
  putManifest: (name: string, tag: string, mediaType: string, manifest: object | string) => Promise<string>;
  putBlob: (name: string, body: Buffer) => Promise<string>;
  stop: () => Promise<void>;
}

export function digestOfBytes(body: Buffer | string): string {
  return `sha256:${hash('sha256', body)}`;
}

/** `more` is added to its configuration, as YAML of the top level; `storage` is that of another one. */
export async function startRegistry(options: { more?: string; storage?: string } = {}): Promise<ImageRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'labscale-registry-'));
  const config = join(folder, 'config.yml');
  await writeFile(
    config,
    [
      'version: 0.1',
      'log: { level: info, formatter: json, accesslog: { disabled: true } }',
      `storage: { filesystem: { rootdirectory: ${join(options.storage ?? folder, 'storage')} } }`,
      'http: { addr: "127.0.0.1:0", secret: test }',
      options.more ?? ''
    ].join('\n')
  );
  const child = spawn(program, ['serve', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  const host = await listening(child);
  const layer = await makeLayer(folder);

  const { putBlob, putManifest } = writerOf(host);
  const push = async (nameAndTag: string, config: ImageConfig, architecture = 'amd64') => {
    const layout = await makeLayout(folder, layer, config, architecture);
    const digestFile = `${layout}.digest`;
    const target = `docker://${host}/${nameAndTag}`;
    // It packs the layer, so the manifest is not that of the layout.
    const options = ['--quiet', '--dest-tls-verify=false', '--digestfile', digestFile];
    await run('skopeo', ['--insecure-policy', 'copy', ...options, `oci:${layout}:it`, target]);
    return (await readFile(digestFile, 'utf8')).trim();
  };
  const stop = async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  return { host, folder, push, putManifest, putBlob, stop };
}

/** What a registry takes over its own interface. */
export function writerOf(host: string) {
  const putBlob = async (name: string, body: Buffer) => {
    const started = await fetch(`http://${host}/v2/${name}/blobs/uploads/`, { method: 'POST' });
    const digest = digestOfBytes(body);
    const place = new URL(started.headers.get('location')!);
    place.searchParams.set('digest', digest);
    const ended = await fetch(place, {
      method: 'PUT',
      body: new Uint8Array(body),
      headers: { 'content-type': 'application/octet-stream' }
    });
    if (ended.status !== 201) throw new Error(`the registry did not take a blob: ${await ended.text()}`);
    return digest;
  };
  const putManifest = async (name: string, tag: string, mediaType: string, manifest: object | string) => {
    const body = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
    const answer = await fetch(`http://${host}/v2/${name}/manifests/${tag}`, {
      method: 'PUT',
      body,
      headers: { 'content-type': mediaType }
    });
    if (answer.status !== 201) throw new Error(`the registry did not take a manifest: ${await answer.text()}`);
    return digestOfBytes(body);
  };
  /** A name can be taken away only by its digest. */
  const removeManifest = async (name: string, digest: string) => {
    const answer = await fetch(`http://${host}/v2/${name}/manifests/${digest}`, { method: 'DELETE' });
    if (answer.status !== 202) throw new Error(`the registry did not remove a manifest: ${await answer.text()}`);
  };
  return { putBlob, putManifest, removeManifest };
}

/** Pushes an image of one layer: a busybox, its commands in /bin, and scripts by their paths; returns its digest. */
export async function pushBusybox(
  host: string,
  name: string,
  config: ImageConfig,
  files: Record<string, string> = {}
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'labscale-image-'));
  const root = join(folder, 'root');
  for (const part of ['bin', 'tmp']) await mkdir(join(root, part), { recursive: true });
  await copyFile(busybox, join(root, 'bin/busybox'));
  for (const command of (await run(busybox, ['--list'])).stdout.trim().split('\n')) {
    if (command !== 'busybox') await symlink('busybox', join(root, 'bin', command));
  }
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text, { mode: 0o755 });
  }
  const owner = ['--owner=0', '--group=0', '--mtime=@0', '--sort=name'];
  await run('tar', ['--create', ...owner, '--file', join(folder, 'layer.tar'), '--directory', root, '.']);
  const layer = await readFile(join(folder, 'layer.tar'));
  await rm(folder, { recursive: true });
  const { putBlob, putManifest } = writerOf(host);
  const described = Buffer.from(
    JSON.stringify({
      ...{ architecture: 'amd64', os: 'linux', config: { Env: ['PATH=/bin'], ...config } },
      rootfs: { type: 'layers', diff_ids: [digestOfBytes(layer)] }
    })
  );
  const type = 'application/vnd.oci.image';
  return await putManifest(name, '1', `${type}.manifest.v1+json`, {
    ...{ schemaVersion: 2, mediaType: `${type}.manifest.v1+json` },
    config: { mediaType: `${type}.config.v1+json`, digest: await putBlob(name, described), size: described.length },
    layers: [{ mediaType: `${type}.layer.v1.tar`, digest: await putBlob(name, layer), size: layer.length }]
  });
}

/** With port 0 it takes a free one, and tells in its log which. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.once('exit', (code) => reject(new Error(`docker-registry ended with ${code}: ${said.slice(-2_000)}`)));
    child.stderr!.on('data', (data: Buffer) => {
      said += data.toString();
      const found = /listening on (127\.0\.0\.1:\d+)/.exec(said);
      if (found) resolve(found[1]!);
    });
  });
}

async function makeLayer(folder: string): Promise<string> {
  await mkdir(join(folder, 'root/bin'), { recursive: true });
  await run('cp', [busybox, join(folder, 'root/bin/busybox')]);
  const path = join(folder, 'layer.tar');
  await run('tar', ['--create', '--file', path, '--directory', join(folder, 'root'), '.']);
  return path;
}

let layouts = 0;
async function makeLayout(folder: string, layer: string, config: ImageConfig, architecture: string) {
  const path = join(folder, `layout-${layouts++}`);
  const blobs = join(path, 'blobs/sha256');
  await mkdir(blobs, { recursive: true });
  const { stdout } = await run('sha256sum', [layer]);
  const layerDigest = stdout.slice(0, 64);
  await run('cp', [layer, join(blobs, layerDigest)]);
  const { stdout: size } = await run('stat', ['--format', '%s', layer]);
  const put = async (value: object) => {
    const body = JSON.stringify(value);
    const digest = digestOfBytes(body);
    await writeFile(join(blobs, digest.slice('sha256:'.length)), body);
    return { digest, size: Buffer.byteLength(body) };
  };
  const described = await put({
    ...{ architecture, os: 'linux', config },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layerDigest}`] }
  });
  const manifest = await put({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...described },
    layers: [
      { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: `sha256:${layerDigest}`, size: Number(size) }
    ]
  });
  await writeFile(join(path, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  await writeFile(
    join(path, 'index.json'),
    JSON.stringify({
      schemaVersion: 2,
      manifests: [
        {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          ...manifest,
          annotations: { 'org.opencontainers.image.ref.name': 'it' }
        }
      ]
    })
  );
  return path;
}

const ociManifest = 'application/vnd.oci.image.manifest.v1+json';

/** Gives an image of a registry another name there, with the tag 1; returns its digest. No layer is sent. */
export async function copyImage(host: string, reference: string, name: string): Promise<string> {
  const [, from, tag] = /^[^/]+\/(.+):([^:]+)$/.exec(reference)!;
  const answer = await fetch(`http://${host}/v2/${from}/manifests/${tag}`, { headers: { accept: ociManifest } });
  const text = await answer.text();
  const { config, layers } = JSON.parse(text) as { config: { digest: string }; layers: { digest: string }[] };
  for (const { digest } of [config, ...layers]) {
    const place = `http://${host}/v2/${name}/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from!)}`;
    const mounted = await fetch(place, { method: 'POST' });
    if (mounted.status !== 201) throw new Error(`the registry did not mount a layer: ${mounted.status}`);
  }
  return await writerOf(host).putManifest(name, '1', ociManifest, text);
}
