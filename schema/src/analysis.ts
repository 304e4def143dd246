import { Type, type Static } from 'typebox';
import { noun, nullable, ref, strict } from './noun.js';
import { Digest, Id, Json, Name, Text, Time, UserName } from './primitives.js';

export const ParameterName = Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$' });

export const ParameterSpec = strict({
  type: Type.Enum(['number', 'integer', 'string', 'boolean', 'array', 'object', 'any'] as const),
  default: Type.Optional(Json),
  description: Type.Optional(
    Type.String({ maxLength: 4_000, description: 'Help; taken from the comment beside the assignment.' })
  ),
  minimum: Type.Optional(Type.Number()),
  maximum: Type.Optional(Type.Number()),
  enum: Type.Optional(Type.Array(Json, { minItems: 1, maxItems: 1_000 })),
  unit: Type.Optional(Type.String({ maxLength: 80 })),
  nullable: Type.Optional(Type.Boolean())
});
export type ParameterSpec = Static<typeof ParameterSpec>;

export const ExpectedOutput = strict({
  path: Type.String({
    minLength: 1,
    maxLength: 1_024,
    description: 'Below the output folder; `*` stands for any part of one name.'
  }),
  required: Type.Boolean({ description: 'A task that leaves it out or empty has failed.' }),
  description: Type.Optional(Type.String({ maxLength: 4_000 }))
});

export const Resources = strict({
  cpus: Type.Integer({ minimum: 1, maximum: 1_024 }),
  memoryBytes: Type.Integer({ minimum: 16_777_216, description: 'Of the whole process tree of a task.' }),
  timeLimitSeconds: Type.Number({ exclusiveMinimum: 0, maximum: 2_592_000 }),
  retries: Type.Integer({ minimum: 0, maximum: 20, description: 'Further attempts after a failed one.' }),
  backoffSeconds: Type.Number({
    minimum: 0,
    maximum: 3_600,
    description: 'Wait before the first retry; doubled for each further one.'
  }),
  gpus: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 16, description: 'Default 0. More only where the runner is kubernetes.' })
  )
});
export type Resources = Static<typeof Resources>;

export const Contract = noun(
  'Contract',
  'What an analysis takes and gives.',
  strict({
    parameters: Type.Array(strict({ name: ParameterName, ...ParameterSpec.properties }), {
      maxItems: 1_000,
      description: 'In the order of the tagged cell.'
    }),
    outputs: Type.Array(ExpectedOutput, { maxItems: 1_000 }),
    resources: Resources,
    warm: Type.Boolean({
      description: 'Import once and fork for each shard; false starts a fresh interpreter for each.'
    })
  })
);
export type Contract = Static<typeof Contract>;

export const BundledFile = strict({
  path: Type.String({
    minLength: 1,
    maxLength: 1_024,
    description: 'Relative to the folder that the analysis runs in.'
  }),
  text: Type.String({ maxLength: 4_194_304 })
});

export const Kernel = strict({
  name: Type.String({ minLength: 1, maxLength: 200 }),
  language: Type.String({ minLength: 1, maxLength: 80 })
});

export const analysisKinds = ['notebook', 'command', 'container'] as const;
export type AnalysisKind = (typeof analysisKinds)[number];

export const adapters = ['plain', 'bids-app', 'chris'] as const;
export type Adapter = (typeof adapters)[number];
export const AdapterName = Type.Enum(adapters, {
  description:
    'What follows the entrypoint of an image. `plain`: the command. `bids-app`: `/in /out participant`, then the command. `chris`: the command, a flag for each parameter that it does not name, then `/in /out`.'
});

export const ImageReference = Type.String({
  minLength: 1,
  maxLength: 512,
  description: 'As `registry.example/group/name:tag` or `registry.example/group/name@sha256:...`.'
});

export const ContainerImage = strict({
  reference: Type.String({ description: 'As it was given.' }),
  digest: Digest,
  entrypoint: Type.Array(Type.String(), { description: 'Of the image; taken as it is.' }),
  workingDirectory: nullable(Type.String({ description: 'Of the image.' }))
});
export type ContainerImage = Static<typeof ContainerImage>;

export const AnalysisVersion = noun(
  'AnalysisVersion',
  'What is run on a shard, fixed by its content digest.',
  strict({
    id: Id,
    analysisId: Id,
    number: Type.Integer({ minimum: 1 }),
    digest: Digest,
    kind: Type.Enum(analysisKinds),
    path: nullable(Type.String({ description: 'Where the notebook was, relative to the project folder.' })),
    kernel: nullable(Kernel),
    command: nullable(Type.Array(Type.String(), { description: 'Of a container: what follows the entrypoint.' })),
    image: nullable(ContainerImage),
    adapter: nullable(AdapterName),
    files: Type.Array(Type.String(), { description: 'Paths of the files that came along.' }),
    contract: ref(Contract),
    owner: UserName,
    createdAt: Time
  })
);
export type AnalysisVersion = Static<typeof AnalysisVersion>;

export const Analysis = noun(
  'Analysis',
  'A notebook, command or container image with a contract, versioned by content.',
  strict({
    id: Id,
    name: Name,
    owner: UserName,
    kind: Type.Enum(analysisKinds),
    description: Text,
    latestVersion: ref(AnalysisVersion),
    versionCount: Type.Integer({ minimum: 1 }),
    createdAt: Time,
    updatedAt: Time
  })
);
export type Analysis = Static<typeof Analysis>;

export const Notebook = Type.Unsafe<{
  cells: unknown[];
  metadata: Record<string, unknown>;
  nbformat: number;
  nbformat_minor: number;
}>({
  type: 'object',
  description: 'A notebook of format 4, as nbformat writes it.',
  required: ['cells', 'metadata', 'nbformat', 'nbformat_minor'],
  properties: {
    cells: { type: 'array' },
    metadata: { type: 'object' },
    nbformat: { type: 'integer' },
    nbformat_minor: { type: 'integer' }
  }
});
export const CommandLine = Type.Array(Type.String({ minLength: 1, maxLength: 8_192 }), {
  minItems: 1,
  maxItems: 500,
  description:
    "Program and arguments, never through a shell; `{name}` is the value of a parameter, `{input}`, `{output}` and `{shard}` are the task's own, `{{` and `}}` are braces."
});
/** The same for every task of a parameter set, so it cannot name the shard: that is in the input folder. */
export const ContainerCommand = Type.Array(Type.String({ maxLength: 8_192 }), {
  maxItems: 500,
  description:
    "Arguments after the image's entrypoint, never through a shell; `{name}` is the value of a parameter, `{input}` is /in, `{output}` is /out, `{params}` is /params.json, `{{` and `}}` are braces. Default: what the image itself would be started with, for a bids-app nothing."
});
