import type { Readable } from 'node:stream';

export interface ObjectInfo {
  key: string;
  sizeBytes: number;
  /** Another one after each replacement: the ETag of S3, time and number of a file. `list` and `head` tell it. */
  etag?: string;
}

export interface ObjectPage {
  objects: ObjectInfo[];
  nextCursor: string | null;
}

/** A page of what lies directly below a prefix that is empty or ends with `/`. */
export interface LevelPage extends ObjectPage {
  /** Prefixes, each with `/` at its end; what is below them is not looked at. */
  folders: string[];
}

/**
 * Objects by key, as S3 has them. Keys are `/`-separated, of at most 1,024 bytes of UTF-8, without empty, `.` or `..`
 * segments, control characters or a leading `/`; anything else raises PATH_INVALID. One object is replaced as a whole:
 * a reader sees the old bytes or the new ones.
 */
export interface ObjectStore {
  /** Creates or replaces. */
  put(key: string, body: Buffer | Readable): Promise<ObjectInfo>;
  /** Creates; false where the key is taken, whose object stays as it is. Exactly one of many at once gets true. */
  putIfAbsent(key: string, body: Buffer): Promise<boolean>;
  /** The bytes from `start` to `end`, both included; all of them where left out. Raises NOT_FOUND, RANGE_INVALID. */
  read(key: string, range?: { start: number; end?: number }): Promise<Readable>;
  /** The whole of a small object; undefined where there is none. */
  get(key: string): Promise<Buffer | undefined>;
  head(key: string): Promise<ObjectInfo | undefined>;
  /** Keys that start with a prefix, in the order of their UTF-8 bytes, a page at a time. */
  list(prefix: string, options?: { cursor?: string; limit?: number }): Promise<ObjectPage>;
  /** As `list`, of what others put there: also what is no key. */
  listAll(prefix: string, options?: { cursor?: string; limit?: number }): Promise<ObjectPage>;
  /** One level, of what others put there; the cursor is of this list alone. */
  listLevel(prefix: string, options?: { cursor?: string; limit?: number }): Promise<LevelPage>;
  /** Removes; no error where there is none. */
  delete(key: string): Promise<void>;
  deletePrefix(prefix: string): Promise<void>;
  /** Returns when all that was acknowledged before survives a loss of power. */
  sync(): Promise<void>;
  /** Where the object lies on this machine's disk; undefined for a store that is not on it. */
  fileOf(key: string): string | undefined;
}
