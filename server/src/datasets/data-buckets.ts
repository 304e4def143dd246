import type { ObjectStore } from '../objects/object-store.js';
import { faultOfKey } from '../objects/object-key.js';
import { ProblemError } from '../problem-error.js';

/** A folder of a bucket; `bucket` is null for that of the server's own objects. */
export interface BucketPlace {
  bucket: string | null;
  /** Empty for the whole bucket, else with `/` at its end, or `ds1` would take `ds10` with it. */
  prefix: string;
}

export const prefixField = 'body/source/prefix';

/** Where the server keeps what is its own; see ARCHITECTURE.md, "The data folder". */
const ownFolders = ['analyses/', 'datasets/', 'runs/', 'thumbnails/'];

/** Finds the folders of buckets that datasets are registered from in place. */
export class DataBuckets {
  /**
   * @param ownName name of the bucket of the server's own objects; null where they are local.
   * @param others the further buckets that the administrator allows, by their names.
   */
  constructor(
    private readonly own: ObjectStore,
    private readonly ownName: string | null,
    private readonly others: ReadonlyMap<string, ObjectStore>
  ) {}

  /** Names that may be asked for, that of the server's own objects first. */
  get names(): string[] {
    return [...new Set([...(this.ownName === null ? [] : [this.ownName]), ...this.others.keys()])];
  }

  /**
   * A place to look at. Raises PATH_INVALID for a bucket that is not allowed and for a prefix that is no folder or one of
   * the server's own.
   */
  find(name: string | undefined, prefix: string, where: 'body/source' | 'query' = 'body/source'): BucketPlace {
    const bucket = name === undefined || name === this.ownName ? null : name;
    if (bucket !== null && !this.others.has(bucket)) {
      throw new ProblemError('PATH_INVALID', `Nothing may be registered from a bucket "${bucket}" here.`, {
        field: `${where}/bucket`,
        mend:
          this.names.length === 0
            ? 'This server keeps its objects in a folder: leave the bucket out.'
            : `Choose one of ${this.names.join(', ')}, or have its administrator add it to LABSCALE_S3_DATA_BUCKETS.`
      });
    }
    const folder = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
    const fault = folder === '' ? undefined : faultOfKey(folder.slice(0, -1));
    if (fault !== undefined) {
      throw new ProblemError('PATH_INVALID', `"${prefix.slice(0, 200)}" cannot be a prefix: ${fault}.`, {
        field: `${where}/prefix`,
        mend: 'Give a folder as study/raw/, without a "/" in front.'
      });
    }
    const place = { bucket, prefix: folder };
    if (this.isOwn(place)) {
      throw new ProblemError('PATH_INVALID', `"${folder}" has objects of the server's own.`, {
        field: `${where}/prefix`,
        mend: 'Choose a folder with data; derivatives are datasets already.'
      });
    }
    return place;
  }

  /** As `find`, for what is to become a dataset. Raises PATH_INVALID also where the server's own objects are below it. */
  findData(name: string | undefined, prefix: string): BucketPlace {
    const place = this.find(name, prefix);
    if (place.bucket === null && place.prefix === '') {
      throw new ProblemError('PATH_INVALID', 'The whole bucket has the objects of the server in it.', {
        field: prefixField,
        mend: 'Choose a folder with data.'
      });
    }
    return place;
  }

  /** Whether a place is one where the server keeps what is its own. */
  isOwn({ bucket, prefix }: BucketPlace): boolean {
    return bucket === null && ownFolders.some((own) => prefix.startsWith(own));
  }

  /** The name by which people know a bucket; undefined where the objects are local. */
  nameOf(bucket: string | null): string | undefined {
    return bucket ?? this.ownName ?? undefined;
  }

  /** Raises STATE_CONFLICT for a bucket that may no longer be read. */
  open(bucket: string | null): ObjectStore {
    const store = bucket === null ? this.own : this.others.get(bucket);
    if (store !== undefined) return store;
    throw new ProblemError('STATE_CONFLICT', `The bucket "${bucket}" is no longer one that this server may read.`, {
      mend: 'Have its administrator add it to LABSCALE_S3_DATA_BUCKETS again.'
    });
  }
}
