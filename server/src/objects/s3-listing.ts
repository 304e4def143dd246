import type { ObjectInfo } from './object-store.js';

export interface S3Listing {
  objects: ObjectInfo[];
  /** The last key of the page as the store gave it, where there is more. */
  next: string | null;
}

/**
 * Reads a page of ListObjectsV2 with `encoding-type=url`. By hand, as readers of XML take a key such as `007` for a number
 * and `a ` for `a`; keys are percent-encoded here, so that nothing in them can look like markup.
 */
export function readListing(xml: string): S3Listing {
  const objects = [...xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)].map(([, entry]): ObjectInfo => {
    const of = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(entry!)?.[1] ?? '';
    return {
      key: decodeURIComponent(of('Key').replaceAll('+', ' ')),
      sizeBytes: Number(of('Size')),
      etag: of('ETag').replaceAll(/&#34;|&quot;|"/g, '')
    };
  });
  const last = objects.at(-1);
  if (!/<IsTruncated>true<\/IsTruncated>/.test(xml)) return { objects, next: null };
  if (last === undefined) throw new Error('the object store says that there is more, but not where to go on');
  return { objects, next: last.key };
}
