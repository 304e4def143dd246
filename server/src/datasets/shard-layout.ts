import type { Dataset, FolderSource, Shard } from '@labscale/schema';
import { compareBytes } from '../objects/object-key.js';
import { ProblemError } from '../problem-error.js';
import { entitiesOfFile, entitiesOfFolder } from './bids-name.js';
import { PathPattern } from './path-pattern.js';
import type { FoundFile } from './scan-folder.js';

/** A shard before its files are read. */
export interface FoundShard {
  key: string;
  entities: Shard['entities'];
  files: { path: string; file: FoundFile }[];
}

/** Shards as they are laid out; each look at them makes them anew, so that 100,000 are never in memory at once. */
export interface Layout {
  count: number;
  /** In the order of the bytes of their keys. */
  shards: () => Iterable<FoundShard>;
}

const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);

type Way = Pick<FolderSource, 'layout' | 'pattern'> & { kind?: Dataset['source']['kind'] };

const fieldOf = ({ kind }: Way) => (kind === 'bucket' ? 'body/source/prefix' : 'body/source/path');

/** Gives control back now and then: what walks over 100,000 files shall not keep requests waiting. */
async function breathe(count: number): Promise<void> {
  if (count % 2_000 === 0) await new Promise(setImmediate);
}

/**
 * The shards that files make, in the order of the bytes of their keys. Pure but for giving control back.
 * Raises FOLDER_EMPTY, PATTERN_INVALID, PATTERN_NO_MATCH, PATTERN_AMBIGUOUS.
 */
export async function layOut(files: readonly FoundFile[], source: Way): Promise<Layout> {
  if (source.layout !== 'pattern' && source.pattern !== undefined) {
    throw new ProblemError('PATTERN_INVALID', `The layout ${source.layout} takes no pattern.`, {
      field: 'body/source/pattern',
      mend: 'Leave the pattern out, or choose the layout "pattern".'
    });
  }
  const pattern = source.layout === 'pattern' ? patternOf(source) : undefined;
  if (files.length === 0) {
    throw new ProblemError('FOLDER_EMPTY', 'The folder has no file that could be data (hidden files are left out).', {
      field: fieldOf(source),
      mend: 'Choose the folder that holds the data.'
    });
  }
  if (pattern !== undefined) return byPattern(files, pattern);
  if (source.layout === 'folder-per-shard') return byFolder(files, source);
  return {
    count: files.length,
    *shards() {
      for (const file of files) {
        yield { key: file.path, entities: entitiesOfFile(file.path), files: [{ path: nameOf(file.path), file }] };
      }
    }
  };
}

function patternOf({ pattern }: Way): PathPattern {
  if (pattern !== undefined) return new PathPattern(pattern);
  throw new ProblemError('PATTERN_INVALID', 'The layout "pattern" needs a pattern.', {
    field: 'body/source/pattern',
    mend: 'Give one, as sub-{sub}/anat/sub-{sub}_T1w.nii.'
  });
}

function byFolder(files: readonly FoundFile[], source: Way): Layout {
  const folders = new Map<string, FoundFile[]>();
  for (const file of files) {
    const slash = file.path.lastIndexOf('/');
    if (slash < 0) continue;
    const key = file.path.slice(0, slash);
    const others = folders.get(key);
    if (others === undefined) folders.set(key, [file]);
    else others.push(file);
  }
  if (folders.size === 0) {
    throw new ProblemError('FOLDER_EMPTY', 'The folder has files but no folders in it that could be shards.', {
      field: fieldOf(source),
      mend: 'Choose the layout "file-per-shard".'
    });
  }
  const keys = [...folders.keys()].sort(compareBytes);
  return {
    count: keys.length,
    *shards() {
      for (const key of keys) {
        const own = folders.get(key) ?? [];
        yield { key, entities: entitiesOfFolder(key), files: own.map((file) => ({ path: nameOf(file.path), file })) };
      }
    }
  };
}

async function byPattern(files: readonly FoundFile[], pattern: PathPattern): Promise<Layout> {
  const ambiguous = (detail: string, mend: string) =>
    new ProblemError('PATTERN_AMBIGUOUS', detail, { field: 'body/source/pattern', mend });
  const shards = new Map<string, FoundShard>();
  let count = 0;
  for (const file of files) {
    await breathe((count += 1));
    const [reading, other] = pattern.read(file.path);
    if (reading === undefined) continue;
    if (other !== undefined) {
      const told = (of: ReadonlyMap<string, string>) => [...of].map(([name, value]) => `${name}=${value}`).join(', ');
      throw ambiguous(
        `"${file.path}" can be read in more than one way: ${told(reading)}; or ${told(other)}.`,
        'Write more of the name into the pattern, until one way is left.'
      );
    }
    const key = pattern.keyOf(reading);
    const entities = Object.fromEntries(reading);
    let shard = shards.get(key);
    if (shard === undefined) shards.set(key, (shard = { key, entities, files: [] }));
    else if (JSON.stringify(shard.entities) !== JSON.stringify(entities)) {
      throw ambiguous(
        `"${shard.files[0]?.file.path}" and "${file.path}" are of two shards, which would both have the key "${key}".`,
        'Put a text around "*" that tells them apart, or a named group in its place.'
      );
    }
    shard.files.push({ path: pattern.pathInShard(file.path), file });
  }
  if (shards.size === 0) {
    throw new ProblemError(
      'PATTERN_NO_MATCH',
      `The pattern matches none of the ${files.length} files, as "${files[0]?.path}".`,
      {
        field: 'body/source/pattern',
        mend: 'Compare it with the name of that file.'
      }
    );
  }
  const sorted = [...shards.values()].sort((a, b) => compareBytes(a.key, b.key));
  return { count: sorted.length, shards: () => sorted };
}
