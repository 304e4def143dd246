import type { ParameterSet, ParameterSetVersion, ParameterValues, Provenance } from '@labscale/schema';
import type { Selectable } from 'kysely';
import type { Tables } from '../metadata/tables.js';

type VersionRow = Selectable<Tables['parameterSetVersion']>;

export function toVersion(row: VersionRow): ParameterSetVersion {
  const { id, parameterSetId, number, analysisVersionId, digest, owner, createdAt } = row;
  return {
    id,
    parameterSetId,
    number: Number(number),
    analysisVersionId,
    values: JSON.parse(row.valuesJson) as ParameterValues,
    digest,
    metrics: JSON.parse(row.metricsJson) as Record<string, number>,
    provenance: JSON.parse(row.provenanceJson) as Provenance,
    hasThumbnail: row.thumbnailDigest !== null,
    owner,
    createdAt
  };
}

/** A set with its latest version, and what it was forked from. */
export interface SetRow extends VersionRow {
  setId: string;
  name: string;
  setOwner: string;
  analysisId: string;
  note: string;
  tagsJson: string;
  changedFromParentJson: string;
  firstCreatedAt: string;
  updatedAt: string;
  analysisName: string;
  parentVersionId: string | null;
  parentNumber: number | null;
  parentId: string | null;
  parentName: string | null;
}

export function toSet(row: SetRow, runCount: number, defaultForDatasetIds: string[]): ParameterSet {
  const { parentVersionId, parentId, parentName, parentNumber } = row;
  const parent =
    parentVersionId === null || parentId === null || parentName === null
      ? null
      : {
          parameterSetId: parentId,
          parameterSetVersionId: parentVersionId,
          name: parentName,
          number: Number(parentNumber)
        };
  return {
    id: row.setId,
    name: row.name,
    owner: row.setOwner,
    analysisId: row.analysisId,
    analysisName: row.analysisName,
    note: row.note,
    tags: JSON.parse(row.tagsJson) as string[],
    parent,
    changedFromParent: JSON.parse(row.changedFromParentJson) as string[],
    latestVersion: toVersion(row),
    versionCount: Number(row.number),
    defaultForDatasetIds,
    runCount,
    createdAt: row.firstCreatedAt,
    updatedAt: row.updatedAt
  };
}
