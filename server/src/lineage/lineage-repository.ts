import type { Lineage } from '@labscale/schema';
import type { Database } from '../metadata/database.js';
import { prefixOf, type IdPrefix } from '../metadata/ids.js';
import type { Tables } from '../metadata/tables.js';

export type LineageNode = Lineage['nodes'][number];
export type LineageEdge = Lineage['edges'][number];

/** Nouns that have versions: where these are, and what they are versions of. */
const versioned = {
  dv: { noun: 'dataset-version', versions: 'datasetVersion', table: 'dataset', parentId: 'datasetId' },
  av: { noun: 'analysis-version', versions: 'analysisVersion', table: 'analysis', parentId: 'analysisId' },
  pv: {
    noun: 'parameter-set-version',
    versions: 'parameterSetVersion',
    table: 'parameterSet',
    parentId: 'parameterSetId'
  }
} as const;

/** Columns that name what a row's thing was made from. */
const references: readonly {
  relation: LineageEdge['relation'];
  table: keyof Tables;
  source: string;
  sourceIs: IdPrefix;
  made: string;
  madeIs: IdPrefix;
}[] = [
  { relation: 'made', table: 'datasetVersion', source: 'madeByRunId', sourceIs: 'run', made: 'id', madeIs: 'dv' },
  { relation: 'cut-from', table: 'snippet', source: 'datasetVersionId', sourceIs: 'dv', made: 'id', madeIs: 'sn' },
  {
    relation: 'values-for',
    table: 'parameterSetVersion',
    source: 'analysisVersionId',
    sourceIs: 'av',
    made: 'id',
    madeIs: 'pv'
  },
  { relation: 'tuned-on', table: 'parameterSetVersion', source: 'snippetId', sourceIs: 'sn', made: 'id', madeIs: 'pv' },
  { relation: 'input', table: 'run', source: 'datasetVersionId', sourceIs: 'dv', made: 'id', madeIs: 'run' },
  { relation: 'analysis', table: 'run', source: 'analysisVersionId', sourceIs: 'av', made: 'id', madeIs: 'run' },
  {
    relation: 'parameters',
    table: 'runParameterSet',
    source: 'parameterSetVersionId',
    sourceIs: 'pv',
    made: 'runId',
    madeIs: 'run'
  }
];

/** Reads single steps of lineage; edges point the way the data went, from what was used to what was made. */
export class LineageRepository {
  constructor(private readonly database: Database) {}

  async findNode(owner: string, id: string): Promise<LineageNode | undefined> {
    const prefix = prefixOf(id);
    if (prefix === 'dv' || prefix === 'av' || prefix === 'pv') {
      const { noun, versions, table, parentId } = tablesOf(prefix);
      const row = await this.database
        .selectFrom(`${versions} as version`)
        .innerJoin(`${table} as whole`, 'whole.id', `version.${parentId}`)
        .select(['whole.id as parentId', 'whole.name', 'version.number', 'version.createdAt', 'whole.latestVersionId'])
        .where('version.id', '=', id)
        .where('version.owner', '=', owner)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const { latestVersionId, ...node } = row;
      return { id, noun, ...node, superseded: latestVersionId !== id };
    }
    if (prefix === 'sn') {
      const row = await this.database
        .selectFrom('snippet')
        .select(['datasetId as parentId', 'name', 'createdAt'])
        .where('id', '=', id)
        .where('owner', '=', owner)
        .executeTakeFirst();
      return row && { id, noun: 'snippet', ...row, number: null, superseded: false };
    }
    if (prefix === 'run') {
      const row = await this.database
        .selectFrom('run')
        .select(['name', 'createdAt'])
        .where('id', '=', id)
        .where('owner', '=', owner)
        .executeTakeFirst();
      return row && { id, noun: 'run', ...row, parentId: null, number: null, superseded: false };
    }
    return undefined;
  }

  /** What this was made from, one step back. */
  async findSources(id: string): Promise<LineageEdge[]> {
    const prefix = prefixOf(id);
    const edges: LineageEdge[] = [];
    for (const { relation, table, source, made, madeIs } of references) {
      if (madeIs !== prefix) continue;
      for (const from of await this.#read(table, source, made, id)) edges.push({ from, to: id, relation });
    }
    if (prefix === 'pv') {
      for (const from of await this.#findForked(id)) edges.push({ from, to: id, relation: 'forked-from' });
    }
    for (const from of await this.#findNeighbours(id, -1)) edges.push({ from, to: id, relation: 'previous-version' });
    return edges;
  }

  /** What was made from this, one step on; at most `limit` of each kind, newest first. */
  async findUses(id: string, limit: number): Promise<LineageEdge[]> {
    const prefix = prefixOf(id);
    const edges: LineageEdge[] = [];
    for (const { relation, table, source, sourceIs, made } of references) {
      if (sourceIs !== prefix) continue;
      for (const to of await this.#read(table, made, source, id, limit)) edges.push({ from: id, to, relation });
    }
    if (prefix === 'pv') {
      for (const to of await this.#findForks(id, limit)) edges.push({ from: id, to, relation: 'forked-from' });
    }
    for (const to of await this.#findNeighbours(id, 1)) edges.push({ from: id, to, relation: 'previous-version' });
    return edges;
  }

  /** What `column` holds in the rows where `where` is `id`; the newest, where only so many are asked for. */
  async #read(table: keyof Tables, column: string, where: string, id: string, limit?: number): Promise<string[]> {
    // The types of one such table stand for all.
    const [value, key] = [`row.${column as 'analysisVersionId'}`, `row.${where as 'id'}`] as const;
    let query = this.database
      .selectFrom(`${table as 'run'} as row`)
      .select(`${value} as value`)
      .where(key, '=', id)
      .where(value, 'is not', null);
    // An id starts with the time of its making.
    if (limit !== undefined) query = query.orderBy(value, 'desc').limit(limit);
    return (await query.execute()).map((row) => row.value);
  }

  /** The version that a set was forked from; only its first version was. */
  async #findForked(id: string): Promise<string[]> {
    const row = await this.database
      .selectFrom('parameterSetVersion')
      .innerJoin('parameterSet', 'parameterSet.id', 'parameterSetVersion.parameterSetId')
      .select('parameterSet.parentVersionId')
      .where('parameterSetVersion.id', '=', id)
      .where('parameterSetVersion.number', '=', 1)
      .executeTakeFirst();
    return row?.parentVersionId ? [row.parentVersionId] : [];
  }

  async #findForks(id: string, limit: number): Promise<string[]> {
    const rows = await this.database
      .selectFrom('parameterSet')
      .innerJoin('parameterSetVersion', 'parameterSetVersion.parameterSetId', 'parameterSet.id')
      .select('parameterSetVersion.id')
      .where('parameterSet.parentVersionId', '=', id)
      .where('parameterSetVersion.number', '=', 1)
      .orderBy('parameterSetVersion.id', 'desc')
      .limit(limit)
      .execute();
    return rows.map((row) => row.id);
  }

  /** The version that is `distance` versions on. */
  async #findNeighbours(id: string, distance: number): Promise<string[]> {
    const prefix = prefixOf(id);
    if (prefix !== 'dv' && prefix !== 'av' && prefix !== 'pv') return [];
    const { versions, parentId } = tablesOf(prefix);
    const rows = await this.database
      .selectFrom(`${versions} as version`)
      .innerJoin(`${versions} as other`, `other.${parentId}`, `version.${parentId}`)
      .select('other.id')
      .where('version.id', '=', id)
      .where((is) => is('other.number', '=', is('version.number', '+', distance)))
      .execute();
    return rows.map((row) => row.id);
  }
}

/** The tables of one kind of version. Their columns are the same, so the types of one stand for all. */
function tablesOf(prefix: keyof typeof versioned) {
  const { noun, ...tables } = versioned[prefix];
  return { noun, ...(tables as Omit<(typeof versioned)['dv'], 'noun'>) };
}
