import { faultOfKey } from '../objects/object-key.js';
import type { ObjectStore } from '../objects/object-store.js';
import { allPages } from '../objects/object-walk.js';
import { ProblemError } from '../problem-error.js';
import { prefixField } from './data-buckets.js';
import { aboutTheData } from './metadata-tables.js';
import type { FoundFile } from './scan-folder.js';

/**
 * The objects below a prefix in the order of the bytes of their keys. Hidden names, tables about the data and the empty
 * objects that stand for folders are not data. Raises PATH_INVALID for keys that cannot be those of shards.
 */
export async function scanBucket(store: ObjectStore, prefix: string): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  for await (const { key, sizeBytes, etag } of allPages((options) => store.listAll(prefix, options))) {
    const path = key.slice(prefix.length);
    if (path === '' || (path.endsWith('/') && sizeBytes === 0)) continue;
    if (path.split('/').some((part) => part.startsWith('.') && part !== '.' && part !== '..')) continue;
    if (aboutTheData.test(path)) continue;
    const fault = faultOfKey(key);
    if (fault !== undefined) {
      throw new ProblemError('PATH_INVALID', `"${key.slice(0, 200)}" cannot be the key of a shard: ${fault}.`, {
        field: prefixField,
        mend: 'Rename the object, or choose a prefix without it.'
      });
    }
    found.push({ path, sizeBytes, ...(etag === undefined ? {} : { etag }) });
  }
  return found;
}
