import type { Lineage } from '@labscale/schema';
import type { Database } from '../metadata/database.js';
import { prefixOf } from '../metadata/ids.js';

export type LineageNode = Lineage['nodes'][number];
export type LineageEdge = Lineage['edges'][number];

/** Reads single steps of lineage; edges point the way the data went, from what was used to what was made. */
export class LineageRepository {
  constructor(private readonly database: Database) {}

  async findNode(owner: string, id: string): Promise<LineageNode | undefined> {
    const database = this.database;
    switch (prefixOf(id)) {
      case 'dv': {
        const row = await database
          .selectFrom('datasetVersion')
          .innerJoin('dataset', 'dataset.id', 'datasetVersion.datasetId')
          .select([
            'dataset.id as parentId',
            'dataset.name',
            'datasetVersion.number',
            'datasetVersion.createdAt',
            'dataset.latestVersionId'
          ])
          .where('datasetVersion.id', '=', id)
          .where('datasetVersion.owner', '=', owner)
          .executeTakeFirst();
        return row && { id, noun: 'dataset-version', ...node(row), superseded: row.latestVersionId !== id };
      }
      case 'sn': {
        const row = await database
          .selectFrom('snippet')
          .select(['datasetId as parentId', 'name', 'createdAt'])
          .where('id', '=', id)
          .where('owner', '=', owner)
          .executeTakeFirst();
        return row && { id, noun: 'snippet', ...node({ ...row, number: null }), superseded: false };
      }
      case 'av': {
        const row = await database
          .selectFrom('analysisVersion')
          .innerJoin('analysis', 'analysis.id', 'analysisVersion.analysisId')
          .select([
            'analysis.id as parentId',
            'analysis.name',
            'analysisVersion.number',
            'analysisVersion.createdAt',
            'analysis.latestVersionId'
          ])
          .where('analysisVersion.id', '=', id)
          .where('analysisVersion.owner', '=', owner)
          .executeTakeFirst();
        return row && { id, noun: 'analysis-version', ...node(row), superseded: row.latestVersionId !== id };
      }
      case 'pv': {
        const row = await database
          .selectFrom('parameterSetVersion')
          .innerJoin('parameterSet', 'parameterSet.id', 'parameterSetVersion.parameterSetId')
          .select([
            'parameterSet.id as parentId',
            'parameterSet.name',
            'parameterSetVersion.number',
            'parameterSetVersion.createdAt',
            'parameterSet.latestVersionId'
          ])
          .where('parameterSetVersion.id', '=', id)
          .where('parameterSetVersion.owner', '=', owner)
          .executeTakeFirst();
        return row && { id, noun: 'parameter-set-version', ...node(row), superseded: row.latestVersionId !== id };
      }
      case 'run': {
        const row = await database
          .selectFrom('run')
          .select(['name', 'createdAt'])
          .where('id', '=', id)
          .where('owner', '=', owner)
          .executeTakeFirst();
        return row && { id, noun: 'run', ...node({ ...row, parentId: null, number: null }), superseded: false };
      }
      default:
        return undefined;
    }
  }

  /** What this was made from, one step back. */
  async findSources(id: string): Promise<LineageEdge[]> {
    const database = this.database;
    switch (prefixOf(id)) {
      case 'dv': {
        const row = await database
          .selectFrom('datasetVersion')
          .select(['datasetId', 'number', 'madeByRunId'])
          .where('id', '=', id)
          .executeTakeFirst();
        if (row === undefined) return [];
        const before = await database
          .selectFrom('datasetVersion')
          .select('id')
          .where('datasetId', '=', row.datasetId)
          .where('number', '=', row.number - 1)
          .execute();
        return [
          ...edges(row.madeByRunId, id, 'made'),
          ...before.flatMap((other) => edges(other.id, id, 'previous-version'))
        ];
      }
      case 'sn': {
        const row = await database
          .selectFrom('snippet')
          .select('datasetVersionId')
          .where('id', '=', id)
          .executeTakeFirst();
        return edges(row?.datasetVersionId, id, 'cut-from');
      }
      case 'av': {
        const row = await database
          .selectFrom('analysisVersion')
          .select(['analysisId', 'number'])
          .where('id', '=', id)
          .executeTakeFirst();
        if (row === undefined) return [];
        const before = await database
          .selectFrom('analysisVersion')
          .select('id')
          .where('analysisId', '=', row.analysisId)
          .where('number', '=', row.number - 1)
          .execute();
        return before.flatMap((other) => edges(other.id, id, 'previous-version'));
      }
      case 'pv': {
        const row = await database
          .selectFrom('parameterSetVersion')
          .innerJoin('parameterSet', 'parameterSet.id', 'parameterSetVersion.parameterSetId')
          .select([
            'parameterSetVersion.parameterSetId',
            'parameterSetVersion.number',
            'parameterSetVersion.analysisVersionId',
            'parameterSetVersion.snippetId',
            'parameterSet.parentVersionId'
          ])
          .where('parameterSetVersion.id', '=', id)
          .executeTakeFirst();
        if (row === undefined) return [];
        const before = await database
          .selectFrom('parameterSetVersion')
          .select('id')
          .where('parameterSetId', '=', row.parameterSetId)
          .where('number', '=', row.number - 1)
          .execute();
        return [
          ...edges(row.analysisVersionId, id, 'values-for'),
          ...edges(row.snippetId, id, 'tuned-on'),
          ...edges(row.number === 1 ? row.parentVersionId : null, id, 'forked-from'),
          ...before.flatMap((other) => edges(other.id, id, 'previous-version'))
        ];
      }
      case 'run': {
        const row = await database
          .selectFrom('run')
          .select(['analysisVersionId', 'datasetVersionId'])
          .where('id', '=', id)
          .executeTakeFirst();
        if (row === undefined) return [];
        const sets = await database
          .selectFrom('runParameterSet')
          .select('parameterSetVersionId')
          .where('runId', '=', id)
          .execute();
        return [
          ...edges(row.datasetVersionId, id, 'input'),
          ...edges(row.analysisVersionId, id, 'analysis'),
          ...sets.flatMap((set) => edges(set.parameterSetVersionId, id, 'parameters'))
        ];
      }
      default:
        return [];
    }
  }

  /** What was made from this, one step on; at most `limit` of each kind, newest first. */
  async findUses(id: string, limit: number): Promise<LineageEdge[]> {
    const database = this.database;
    switch (prefixOf(id)) {
      case 'dv': {
        const version = await database
          .selectFrom('datasetVersion')
          .select(['datasetId', 'number'])
          .where('id', '=', id)
          .executeTakeFirst();
        if (version === undefined) return [];
        const snippets = await database
          .selectFrom('snippet')
          .select('id')
          .where('datasetVersionId', '=', id)
          .orderBy('id', 'desc')
          .limit(limit)
          .execute();
        const runs = await database
          .selectFrom('run')
          .select('id')
          .where('datasetVersionId', '=', id)
          .orderBy('id', 'desc')
          .limit(limit)
          .execute();
        const next = await database
          .selectFrom('datasetVersion')
          .select('id')
          .where('datasetId', '=', version.datasetId)
          .where('number', '=', version.number + 1)
          .execute();
        return [
          ...snippets.flatMap((other) => edges(id, other.id, 'cut-from')),
          ...runs.flatMap((other) => edges(id, other.id, 'input')),
          ...next.flatMap((other) => edges(id, other.id, 'previous-version'))
        ];
      }
      case 'sn': {
        const sets = await database
          .selectFrom('parameterSetVersion')
          .select('id')
          .where('snippetId', '=', id)
          .orderBy('id', 'desc')
          .limit(limit)
          .execute();
        return sets.flatMap((other) => edges(id, other.id, 'tuned-on'));
      }
      case 'av': {
        const version = await database
          .selectFrom('analysisVersion')
          .select(['analysisId', 'number'])
          .where('id', '=', id)
          .executeTakeFirst();
        if (version === undefined) return [];
        const sets = await database
          .selectFrom('parameterSetVersion')
          .select('id')
          .where('analysisVersionId', '=', id)
          .orderBy('id', 'desc')
          .limit(limit)
          .execute();
        const runs = await database
          .selectFrom('run')
          .select('id')
          .where('analysisVersionId', '=', id)
          .orderBy('id', 'desc')
          .limit(limit)
          .execute();
        const next = await database
          .selectFrom('analysisVersion')
          .select('id')
          .where('analysisId', '=', version.analysisId)
          .where('number', '=', version.number + 1)
          .execute();
        return [
          ...sets.flatMap((other) => edges(id, other.id, 'values-for')),
          ...runs.flatMap((other) => edges(id, other.id, 'analysis')),
          ...next.flatMap((other) => edges(id, other.id, 'previous-version'))
        ];
      }
      case 'pv': {
        const version = await database
          .selectFrom('parameterSetVersion')
          .select(['parameterSetId', 'number'])
          .where('id', '=', id)
          .executeTakeFirst();
        if (version === undefined) return [];
        const runs = await database
          .selectFrom('runParameterSet')
          .select('runId')
          .where('parameterSetVersionId', '=', id)
          .limit(limit)
          .execute();
        const forks = await database
          .selectFrom('parameterSet')
          .innerJoin('parameterSetVersion', 'parameterSetVersion.parameterSetId', 'parameterSet.id')
          .select('parameterSetVersion.id')
          .where('parameterSet.parentVersionId', '=', id)
          .where('parameterSetVersion.number', '=', 1)
          .limit(limit)
          .execute();
        const next = await database
          .selectFrom('parameterSetVersion')
          .select('id')
          .where('parameterSetId', '=', version.parameterSetId)
          .where('number', '=', version.number + 1)
          .execute();
        return [
          ...runs.flatMap((other) => edges(id, other.runId, 'parameters')),
          ...forks.flatMap((other) => edges(id, other.id, 'forked-from')),
          ...next.flatMap((other) => edges(id, other.id, 'previous-version'))
        ];
      }
      case 'run': {
        const versions = await database
          .selectFrom('datasetVersion')
          .select('id')
          .where('madeByRunId', '=', id)
          .execute();
        return versions.flatMap((other) => edges(id, other.id, 'made'));
      }
      default:
        return [];
    }
  }
}

function node(row: { parentId: string | null; name: string; number: number | null; createdAt: string }) {
  return { parentId: row.parentId, name: row.name, number: row.number, createdAt: row.createdAt };
}

function edges(
  from: string | null | undefined,
  to: string | null | undefined,
  relation: LineageEdge['relation']
): LineageEdge[] {
  return from && to ? [{ from, to, relation }] : [];
}
