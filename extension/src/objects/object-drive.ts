import type { Contents, ServerConnection } from '@jupyterlab/services';
import type { DataObject, DatasetVersion, Shard } from '@labscale/schema';
import { Signal, type ISignal } from '@lumino/signaling';
import type { LabscaleClient } from '../api/client';
import { objectDriveName, objectPath, parseObjectPath, type IObjectPlace } from './object-path';

const mostListed = 1_000;

/** The objects of all datasets as a read-only drive, so that Lab's own viewers open them. */
export class ObjectDrive implements Contents.IDrive {
  constructor(private readonly _client: LabscaleClient) {}

  readonly name = objectDriveName;
  get serverSettings(): ServerConnection.ISettings {
    return this._client.serverSettings;
  }
  /** Never emitted: objects of a version do not change. */
  get fileChanged(): ISignal<this, Contents.IChangedArgs> {
    return this._fileChanged;
  }

  async get(localPath: string, options: Contents.IFetchOptions = {}): Promise<Contents.IModel> {
    const { versionId, shardKey, path } = parseObjectPath(localPath);
    if (versionId === null) return this._listDatasets();
    if (shardKey === null) return this._listShards(versionId);
    const [version, shard] = await Promise.all([this._version(versionId), this._shard(versionId, shardKey)]);
    if (path === null) return this._listObjects(version, shard);
    const object = shard.objects.find((one) => one.path === path);
    if (!object) throw new Error(`The shard ${shardKey} has no object ${path}.`);
    return this._read({ versionId, shardKey, path }, version, object, options);
  }

  getDownloadUrl(localPath: string): Promise<string> {
    const { versionId, shardKey, path } = parseObjectPath(localPath);
    if (versionId === null || shardKey === null || path === null) {
      return Promise.reject(new Error('Only an object can be downloaded, not a folder.'));
    }
    const query = { shard: shardKey, path };
    return Promise.resolve(this._client.url('getObject', { params: { versionId }, query }));
  }

  newUntitled(): Promise<Contents.IModel> {
    return readOnly();
  }
  delete(): Promise<void> {
    return readOnly();
  }
  rename(): Promise<Contents.IModel> {
    return readOnly();
  }
  save(): Promise<Contents.IModel> {
    return readOnly();
  }
  copy(): Promise<Contents.IModel> {
    return readOnly();
  }
  createCheckpoint(): Promise<Contents.ICheckpointModel> {
    return readOnly();
  }
  restoreCheckpoint(): Promise<void> {
    return readOnly();
  }
  deleteCheckpoint(): Promise<void> {
    return readOnly();
  }
  listCheckpoints(): Promise<Contents.ICheckpointModel[]> {
    return Promise.resolve([]);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }
  dispose(): void {
    if (this._isDisposed) return;
    this._isDisposed = true;
    Signal.clearData(this);
  }

  private async _listDatasets(): Promise<Contents.IModel> {
    const { items } = await this._client.call('listDatasets', { query: { limit: mostListed } });
    return folder(
      '',
      objectDriveName,
      items.map((one) => folder(one.latestVersion.id, `${one.name} ${one.latestVersion.number}`, null))
    );
  }

  private async _listShards(versionId: string): Promise<Contents.IModel> {
    const { items } = await this._client.call('listShards', { params: { versionId }, query: { limit: mostListed } });
    return folder(
      versionId,
      versionId,
      items.map((shard) => folder(local({ versionId, shardKey: shard.key, path: '' }), shard.key, null))
    );
  }

  private _listObjects(version: DatasetVersion, shard: Shard): Contents.IModel {
    const place = { versionId: version.id, shardKey: shard.key };
    return folder(
      local({ ...place, path: '' }),
      shard.key,
      shard.objects.map((object) => fileModel({ ...place, path: object.path }, version, object))
    );
  }

  private async _read(
    place: IObjectPlace,
    version: DatasetVersion,
    object: DataObject,
    options: Contents.IFetchOptions
  ): Promise<Contents.IModel> {
    const model = fileModel(place, version, object);
    if (options.content === false) return model;
    const query = { shard: place.shardKey, path: place.path };
    const response = await this._client.fetch('getObject', { params: { versionId: place.versionId }, query });
    if (model.type === 'notebook') {
      return { ...model, format: 'json', content: await response.json() };
    }
    const format = options.format ?? (isText(object.mediaType) ? 'text' : 'base64');
    return {
      ...model,
      format,
      content: format === 'base64' ? toBase64(new Uint8Array(await response.arrayBuffer())) : await response.text()
    };
  }

  /** Versions are immutable, and a viewer asks for the same ones over and over. */
  private _version(versionId: string): Promise<DatasetVersion> {
    let version = this._versions.get(versionId);
    if (!version) {
      version = this._client.call('getDatasetVersion', { params: { versionId } });
      this._versions.set(versionId, version);
      version.catch(() => this._versions.delete(versionId));
    }
    return version;
  }

  private _shard(versionId: string, key: string): Promise<Shard> {
    const place = `${versionId}/${key}`;
    if (this._lastShard?.place !== place) {
      const shard = this._client.call('getShard', { params: { versionId }, query: { key } });
      this._lastShard = { place, shard };
      shard.catch(() => (this._lastShard = null));
    }
    return this._lastShard.shard;
  }

  private readonly _versions = new Map<string, Promise<DatasetVersion>>();
  private _lastShard: { place: string; shard: Promise<Shard> } | null = null;
  private readonly _fileChanged = new Signal<this, Contents.IChangedArgs>(this);
  private _isDisposed = false;
}

function local(place: IObjectPlace): string {
  return objectPath(place)
    .slice(objectDriveName.length + 1)
    .replace(/\/$/, '');
}

function readOnly(): Promise<never> {
  return Promise.reject(new Error('Datasets are read-only here. Save a copy in a folder of your own.'));
}

function isText(mediaType: string): boolean {
  return mediaType.startsWith('text/') || /[/+](json|xml|javascript|yaml)$/.test(mediaType);
}

function folder(path: string, name: string, content: Contents.IModel[] | null): Contents.IModel {
  const epoch = new Date(0).toISOString();
  return {
    name,
    path,
    type: 'directory',
    writable: false,
    created: epoch,
    last_modified: epoch,
    mimetype: '',
    content,
    format: 'json'
  };
}

function fileModel(place: IObjectPlace, version: DatasetVersion, object: DataObject): Contents.IModel {
  return {
    name: place.path.split('/').at(-1) ?? place.path,
    path: local(place),
    type: place.path.endsWith('.ipynb') ? 'notebook' : 'file',
    writable: false,
    created: version.createdAt,
    last_modified: version.createdAt,
    mimetype: object.mediaType,
    size: object.sizeBytes,
    hash: object.digest,
    hash_algorithm: 'sha256',
    content: null,
    format: null
  };
}

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  // In pieces: a call takes some 100,000 arguments at most.
  for (let at = 0; at < bytes.length; at += 32_768) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  }
  return btoa(binary);
}
