import type { Operations } from '@labscale/schema';
import { decodeCursor, encodeCursor } from '../http/cursor.js';
import type { DataBuckets } from './data-buckets.js';

/** What lies directly below a prefix; nothing below its folders is listed. Raises PATH_INVALID. */
export async function browseBucket(
  buckets: DataBuckets,
  query: Operations['browseBucket']['query']
): Promise<Operations['browseBucket']['result']> {
  const { bucket, prefix } = buckets.find(query.bucket, query.prefix ?? '', 'query');
  const order = `bucket ${bucket ?? ''} ${prefix}`;
  const after = decodeCursor(query.cursor, order, (values): values is [string] => typeof values[0] === 'string');
  const page = await buckets.open(bucket).listLevel(prefix, {
    limit: query.limit ?? 50,
    ...(after === undefined ? {} : { cursor: after[0] })
  });
  return {
    buckets: buckets.names,
    prefix,
    folders: page.folders.filter((folder) => !buckets.isOwn({ bucket, prefix: folder })),
    // An empty object with the name of a folder stands for that folder.
    objects: page.objects.filter(({ key }) => key !== prefix).map(({ key, sizeBytes }) => ({ key, sizeBytes })),
    nextCursor: page.nextCursor === null ? null : encodeCursor(order, page.nextCursor)
  };
}
