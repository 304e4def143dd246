import type { ObjectInfo } from './object-store.js';

export interface S3Listing {
  objects: ObjectInfo[];
  /** Where a delimiter was asked for: what lies below is named by these. */
  folders: string[];
  /** The last key of the page as the store gave it, where there is more. */
  next: string | null;
  /** Where to go on in a listing with a delimiter. */
  token: string | null;
}

const plain = (encoded: string) => decodeURIComponent(encoded.replaceAll('+', ' '));

/**
 * Reads a page of ListObjectsV2 with `encoding-type=url`. By hand, as readers of XML take a key such as `007` for a number
 * and `a ` for `a`; keys are percent-encoded here, so that nothing in them can look like markup.
 */
export function readListing(xml: string): S3Listing {
  const objects = [...xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)].map(([, entry]): ObjectInfo => {
    const of = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(entry!)?.[1] ?? '';
    return {
      key: plain(of('Key')),
      sizeBytes: Number(of('Size')),
      etag: of('ETag').replaceAll(/&#34;|&quot;|"/g, '')
    };
  });
  const folders = [...xml.matchAll(/<CommonPrefixes><Prefix>([^<]*)<\/Prefix>/g)].map(([, name]) => plain(name!));
  if (!/<IsTruncated>true<\/IsTruncated>/.test(xml)) return { objects, folders, next: null, token: null };
  const next = objects.at(-1)?.key ?? null;
  const token = /<NextContinuationToken>([^<]*)</.exec(xml)?.[1] ?? null;
  if (next === null && token === null)
    throw new Error('the object store says that there is more, but not where to go on');
  return { objects, folders, next, token };
}
