import type { Shard } from '@labscale/schema';

type Entities = Shard['entities'];

const pair = /^([a-zA-Z][a-zA-Z0-9]*)-([a-zA-Z0-9+]+)$/;
const word = /^[a-zA-Z0-9]+$/;

/** `sub-01_ses-1` as entities; undefined where a part is not `name-label` or a name comes twice. */
function pairs(parts: readonly string[]): Map<string, string> | undefined {
  const entities = new Map<string, string>();
  for (const part of parts) {
    const [, name, label] = pair.exec(part) ?? [];
    if (name === undefined || label === undefined || entities.has(name)) return undefined;
    entities.set(name, label);
  }
  return entities.size > 0 ? entities : undefined;
}

/** Entities that the folders of a path give, the inner ones winning, as `sub-01/ses-1`. */
function ofFolders(segments: readonly string[]): Map<string, string> {
  return new Map(segments.flatMap((segment) => [...(pairs(segment.split('_')) ?? [])]));
}

/**
 * Entities in the manner of BIDS: `sub-01/func/sub-01_task-rest_bold.nii.gz` gives sub, task, suffix `bold` and extension
 * `.nii.gz`. A name that is not of that form gives none.
 */
export function entitiesOfFile(path: string): Entities {
  const segments = path.split('/');
  const name = segments.pop() ?? '';
  const entities = ofFolders(segments);
  const dot = name.indexOf('.', 1);
  const [stem, extension] = dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot)];
  const parts = stem.split('_');
  const last = parts.at(-1) ?? '';
  const suffix = word.test(last) && parts.length > 1 ? parts.pop() : undefined;
  const own = pairs(parts);
  if (own !== undefined) {
    for (const [key, label] of own) entities.set(key, label);
    if (suffix !== undefined) entities.set('suffix', suffix);
    if (extension !== '') entities.set('extension', extension);
  }
  return Object.fromEntries(entities);
}

/** Entities of a folder that is a shard: `sub-01/ses-1` or `window-1700`. */
export function entitiesOfFolder(path: string): Entities {
  return Object.fromEntries(ofFolders(path.split('/')));
}
