import { Type, type Static } from 'typebox';
import { noun, nullable, ref, strict } from './noun.js';
import {
  Digest,
  Entities,
  Filter,
  Id,
  Json,
  Name,
  Scalar,
  ShardKey,
  SizeBytes,
  Text,
  Time,
  UserName
} from './primitives.js';

export const DatasetLayout = Type.Enum(['file-per-shard', 'folder-per-shard', 'pattern'] as const);

const shardsOf = {
  layout: DatasetLayout,
  pattern: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 1_000,
      description:
        'For layout `pattern`: a path with named groups that become entities, as `sub-{sub}/anat/sub-{sub}_{suffix}.nii`; files that differ only in a part written `*` form one shard. A group that comes twice must match the same text.'
    })
  )
};

export const FolderSource = strict({
  kind: Type.Literal('folder'),
  path: Type.String({
    minLength: 1,
    maxLength: 4_096,
    description: 'Absolute, or relative to the project folder of the server.'
  }),
  ...shardsOf,
  upload: Type.Optional(
    Type.Boolean({
      description:
        'Copy the files into the object store; else they are read where they are. Default: true where the objects are on `minio`, as tasks elsewhere do not see the folders of the server; false where they are `local`.'
    })
  )
});
export type FolderSource = Static<typeof FolderSource>;

/** Objects that are in a bucket already: they are read where they are and never copied. */
export const BucketSource = strict({
  kind: Type.Literal('bucket'),
  bucket: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 63,
      description: 'Default: that of the server. Others are those that its administrator allowed.'
    })
  ),
  prefix: Type.String({
    maxLength: 1_024,
    description:
      'A folder of the bucket; it ends with "/", which is added where it is left out. Empty: all of the bucket.'
  }),
  ...shardsOf
});
export type BucketSource = Static<typeof BucketSource>;

export const DerivativesSource = strict({ kind: Type.Literal('derivatives'), runId: Id });

export const Indexing = strict({
  state: Type.Enum(['digesting', 'ready', 'failed'] as const),
  done: Type.Integer({ minimum: 0, description: 'Shards digested.' }),
  total: Type.Integer({ minimum: 0 }),
  doneBytes: Type.Optional(
    Type.Integer({ minimum: 0, description: 'Bytes read, or uploaded; only while it is digesting.' })
  ),
  totalBytes: Type.Optional(Type.Integer({ minimum: 0 })),
  detail: Type.Optional(Type.String({ description: 'Why it failed.' }))
});

export const VersionChanges = strict({
  added: Type.Integer({ minimum: 0 }),
  removed: Type.Integer({ minimum: 0 }),
  modified: Type.Integer({ minimum: 0 }),
  unchanged: Type.Integer({ minimum: 0 })
});

export const DatasetVersion = noun(
  'DatasetVersion',
  'An immutable manifest of a dataset: an exact list of shards with digests.',
  strict({
    id: Id,
    datasetId: Id,
    number: Type.Integer({ minimum: 1 }),
    digest: nullable(Digest),
    indexing: Indexing,
    shardCount: Type.Integer({ minimum: 0 }),
    sizeBytes: SizeBytes,
    entityNames: Type.Array(Type.String(), {
      description: 'Entities that its shards have, in order of first appearance.'
    }),
    metadataNames: Type.Array(Type.String()),
    changes: nullable(VersionChanges),
    madeByRunId: nullable(Id),
    owner: UserName,
    createdAt: Time
  })
);
export type DatasetVersion = Static<typeof DatasetVersion>;

export const Dataset = noun(
  'Dataset',
  'A named collection of shards with an owner; its versions are immutable.',
  strict({
    id: Id,
    name: Name,
    owner: UserName,
    description: Text,
    metadata: Type.Record(Type.String(), Json),
    source: Type.Union([FolderSource, BucketSource, DerivativesSource]),
    latestVersion: ref(DatasetVersion),
    versionCount: Type.Integer({ minimum: 1 }),
    derivativeCount: Type.Integer({ minimum: 0, description: 'Published runs over any of its versions.' }),
    defaultParameterSetVersionId: nullable(Id),
    createdAt: Time,
    updatedAt: Time
  })
);
export type Dataset = Static<typeof Dataset>;

export const DataObject = strict({
  path: Type.String({
    minLength: 1,
    maxLength: 1_024,
    description: 'Inside the shard; for a one-file shard the file name.'
  }),
  sizeBytes: SizeBytes,
  digest: Digest,
  mediaType: Type.String()
});
export type DataObject = Static<typeof DataObject>;

export const ShardOrigin = strict({
  runId: Id,
  taskIndex: Type.Integer({ minimum: 0 }),
  datasetVersionId: Id,
  shardKey: ShardKey,
  analysisVersionId: Id,
  parameterSetVersionId: Id
});

export const Shard = noun(
  'Shard',
  'The piece of a dataset that one task gets.',
  strict({
    index: Type.Integer({ minimum: 0, description: 'Place in the manifest, from 0.' }),
    key: ShardKey,
    entities: Entities,
    metadata: Type.Record(Type.String(), Scalar),
    objects: Type.Array(DataObject, { minItems: 1 }),
    sizeBytes: SizeBytes,
    digest: Digest,
    origin: Type.Optional(ShardOrigin)
  })
);
export type Shard = Static<typeof Shard>;

export const ShardChange = strict({
  key: ShardKey,
  change: Type.Enum(['added', 'removed', 'modified'] as const),
  before: nullable(Digest),
  after: nullable(Digest)
});

export const DatasetCheck = strict({
  current: Type.Boolean({ description: 'True where names, sizes and times are still those of the latest version.' }),
  changes: VersionChanges
});

export const BucketPage = strict({
  buckets: Type.Array(Type.String(), {
    description:
      'Names that a bucket source can have; the first is that of the server. None where the objects are local.'
  }),
  prefix: Type.String({ description: 'As it was understood: empty, or with "/" at its end.' }),
  folders: Type.Array(Type.String(), { description: 'Prefixes directly below it.' }),
  objects: Type.Array(strict({ key: Type.String(), sizeBytes: SizeBytes }), {
    description: 'Objects directly below it.'
  }),
  nextCursor: nullable(Type.String())
});

export const Query = noun(
  'Query',
  'A filter over shard entities and metadata, saved by name.',
  strict({ id: Id, datasetId: Id, name: Name, filter: Filter, owner: UserName, createdAt: Time })
);
export type Query = Static<typeof Query>;

export const Snippet = noun(
  'Snippet',
  'A small, seeded, recorded selection of shards, opened in a notebook for tuning.',
  strict({
    id: Id,
    name: Name,
    owner: UserName,
    datasetId: Id,
    datasetVersionId: Id,
    selection: strict({
      count: Type.Integer({ minimum: 1, maximum: 10_000 }),
      filter: Filter,
      seed: Type.Integer({ minimum: 0, maximum: 4_294_967_295 })
    }),
    shards: Type.Array(ref(Shard), { description: 'In the order of the manifest.' }),
    digest: Digest,
    createdAt: Time
  })
);
export type Snippet = Static<typeof Snippet>;
