import type { Shard } from '@labscale/schema';
import { numberOf } from '../metadata/filter.js';
import { ProblemError } from '../problem-error.js';
import { TableFault, parseTable } from './delimited-text.js';

type Metadata = Shard['metadata'];
type Column = (text: string) => string | number | boolean;

const largestBytes = 64 * 1_048_576;
const longestText = 4_000;
const absent = new Set(['', 'n/a', 'N/A', 'NA', 'NaN', 'nan']);

/** Files at the top of a folder that are about the data and not data. */
export const aboutTheData =
  /^((dataset_description|participants)\.json|participants\.tsv|shards\.(csv|tsv)|(README|CHANGES|LICENSE)(\.[a-z]+)?)$/;

/** Metadata of a shard from the tables beside the data. */
export type MetadataOf = (shard: Pick<Shard, 'key' | 'entities'>) => Metadata;

/** A file at the top of what is registered. */
export interface TopFile {
  sizeBytes: number;
  read: () => Promise<string>;
}

/** Where to look for tables, and the field that named it. */
export interface TableFolder {
  field: string;
  find: (name: string) => Promise<TopFile | undefined>;
}

/**
 * Reads `participants.tsv` (BIDS: by entity `sub`) and `shards.csv` or `shards.tsv` (by column `key`) at the top of a
 * folder. A column of numbers becomes numbers, of `true` and `false` truth values; `n/a` and nothing are no value.
 * Raises METADATA_INVALID.
 */
export async function readMetadataTables(folder: TableFolder): Promise<MetadataOf> {
  const bySubject = await readTable(folder, 'participants.tsv', 'participant_id', (id) => id.replace(/^sub-/, ''));
  const [csv, tsv] = [await readTable(folder, 'shards.csv', 'key'), await readTable(folder, 'shards.tsv', 'key')];
  if (csv !== undefined && tsv !== undefined) {
    throw new ProblemError('METADATA_INVALID', 'There are both shards.csv and shards.tsv.', {
      field: folder.field,
      mend: 'Keep one of them.'
    });
  }
  const byKey = csv ?? tsv;
  return ({ key, entities }) => ({
    ...(entities['sub'] === undefined ? undefined : bySubject?.get(entities['sub'])),
    ...byKey?.get(key)
  });
}

async function readTable(
  { field, find }: TableFolder,
  name: string,
  keyColumn: string,
  toKey = (text: string) => text
): Promise<Map<string, Metadata> | undefined> {
  const invalid = (detail: string) =>
    new ProblemError('METADATA_INVALID', `${name}: ${detail}.`, { field, mend: `Mend or remove ${name}.` });
  const found = await find(name);
  if (found === undefined) return undefined;
  if (found.sizeBytes > largestBytes) throw invalid(`it is larger than ${largestBytes / 1_048_576} MiB`);
  let table;
  try {
    table = parseTable(await found.read(), name.endsWith('.tsv') ? '\t' : ',');
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw invalid(error instanceof TableFault ? error.message : 'it cannot be read');
  }
  const { columns, rows } = table;
  const place = columns.indexOf(keyColumn);
  if (place < 0) throw invalid(`it has no column "${keyColumn}"`);
  const readers = columns.map((_, column) =>
    readerOf(rows.map((row) => row[column] ?? '').filter((text) => !absent.has(text)))
  );
  const byKey = new Map<string, Metadata>();
  for (const [number, row] of rows.entries()) {
    const key = toKey(row[place] ?? '');
    if (byKey.has(key)) throw invalid(`"${key}" comes twice`);
    const metadata: [string, string | number | boolean][] = [];
    for (const [column, text] of row.entries()) {
      if (column === place || absent.has(text)) continue;
      if (text.length > longestText)
        throw invalid(`row ${number + 1} has a text of more than ${longestText} characters`);
      metadata.push([columns[column] ?? '', readers[column]?.(text) ?? text]);
    }
    byKey.set(key, Object.fromEntries(metadata));
  }
  return byKey;
}

/** One type for a column: `01` in one row makes the whole column text, since a number would lose the zero. */
function readerOf(texts: readonly string[]): Column {
  if (texts.length > 0 && texts.every((text) => numberOf(text) !== null && !/^[+-]?0\d/.test(text))) return Number;
  if (texts.length > 0 && texts.every((text) => text === 'true' || text === 'false')) return (text) => text === 'true';
  return (text) => text;
}
