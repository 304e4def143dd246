import { Type, type Static } from 'typebox';
import { noun, nullable, ref, strict } from './noun.js';
import { Digest, Id, Json, Metrics, Name, Tags, Text, Time, UserName } from './primitives.js';

export const ParameterValues = Type.Record(Type.String(), Json, {
  description: 'Typed values by parameter name; never renamed or coerced.'
});
export type ParameterValues = Static<typeof ParameterValues>;

/** All that is needed to trust a set later; what the client could not find out stays null. */
export const Provenance = strict({
  notebookPath: nullable(Type.String({ maxLength: 4_096 })),
  notebookDigest: nullable(Digest),
  kernelName: nullable(Type.String({ maxLength: 200 })),
  languageVersion: nullable(Type.String({ maxLength: 200 })),
  packages: nullable(
    Type.Record(Type.String(), Type.String(), { description: 'Name to version of what the kernel has imported.' })
  ),
  gitCommit: nullable(Type.String({ maxLength: 80 })),
  gitDirty: nullable(Type.Boolean()),
  datasetVersionId: nullable(Id),
  snippetId: nullable(Id),
  capturedFrom: Type.Array(Type.Enum(['tagged-cell', 'kernel', 'widgets', 'call'] as const), { uniqueItems: true }),
  secondsPerShard: nullable(Type.Number({ minimum: 0, description: 'As timed on the snippet.' }))
});
export type Provenance = Static<typeof Provenance>;

export const ParameterSetVersion = noun(
  'ParameterSetVersion',
  'Typed values as they were saved; immutable.',
  strict({
    id: Id,
    parameterSetId: Id,
    number: Type.Integer({ minimum: 1 }),
    analysisVersionId: Id,
    values: ParameterValues,
    digest: Digest,
    metrics: Metrics,
    provenance: Provenance,
    hasThumbnail: Type.Boolean(),
    owner: UserName,
    createdAt: Time
  })
);
export type ParameterSetVersion = Static<typeof ParameterSetVersion>;

export const ParameterSet = noun(
  'ParameterSet',
  'A named, versioned, forkable document of tuned values.',
  strict({
    id: Id,
    name: Name,
    owner: UserName,
    analysisId: Id,
    analysisName: Name,
    note: Text,
    tags: Tags,
    parent: nullable(
      strict({ parameterSetId: Id, parameterSetVersionId: Id, name: Name, number: Type.Integer({ minimum: 1 }) })
    ),
    changedFromParent: Type.Array(Type.String(), {
      description: 'Names whose value differs from the parent, or from the version before.'
    }),
    latestVersion: ref(ParameterSetVersion),
    versionCount: Type.Integer({ minimum: 1 }),
    defaultForDatasetIds: Type.Array(Id),
    runCount: Type.Integer({ minimum: 0 }),
    createdAt: Time,
    updatedAt: Time
  })
);
export type ParameterSet = Static<typeof ParameterSet>;

export const ParameterComparison = noun(
  'ParameterComparison',
  'Two or more set versions side by side.',
  strict({
    versions: Type.Array(strict({ parameterSetName: Name, version: ref(ParameterSetVersion) })),
    differing: Type.Array(Type.String(), { description: 'Parameters whose values are not all the same.' }),
    same: Type.Array(Type.String()),
    metricNames: Type.Array(Type.String())
  })
);
export type ParameterComparison = Static<typeof ParameterComparison>;

export const Thumbnail = strict({
  mediaType: Type.Enum(['image/png', 'image/jpeg'] as const),
  base64: Type.String({ maxLength: 1_400_000, contentEncoding: 'base64' })
});
