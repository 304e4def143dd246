/** The drive under which the objects of datasets are found in JupyterLab. */
export const objectDriveName = 'labscale';

export interface IObjectPlace {
  versionId: string;
  shardKey: string;
  path: string;
}

/**
 * The path of an object for Lab's document manager and viewers, as `labscale:dv-…/sub-01%2Fanat/scan.nii`.
 *
 * The shard's key is one segment, so that it can be told from the path inside the shard; the last segment keeps the
 * file's name, by which Lab chooses the viewer.
 */
export function objectPath(place: IObjectPlace): string {
  return `${objectDriveName}:${place.versionId}/${encodeURIComponent(place.shardKey)}/${place.path}`;
}

/** Reads a path inside the drive; what is not named in it is null. */
export function parseObjectPath(localPath: string): {
  versionId: string | null;
  shardKey: string | null;
  path: string | null;
} {
  const parts = localPath.split('/').filter((part) => part !== '');
  const [versionId = null, key, ...rest] = parts;
  return {
    versionId,
    shardKey: key === undefined ? null : decodeURIComponent(key),
    path: rest.length > 0 ? rest.join('/') : null
  };
}
