import { Type, type Static } from 'typebox';
import { noun, strict } from './noun.js';

/** Every problem a client may meet: its code, the HTTP status and a title. Adding one is a change of the contract. */
export const problemCodes = {
  BODY_INVALID: { status: 400, title: 'The request body does not fit the contract' },
  REQUEST_INVALID: { status: 400, title: 'A path or query parameter does not fit the contract' },
  CURSOR_INVALID: { status: 400, title: 'The cursor is not one that this list handed out' },
  FILTER_INVALID: { status: 400, title: 'The filter cannot be read' },
  PATH_INVALID: { status: 400, title: 'The path is not one that may be used' },
  FOLDER_NOT_FOUND: { status: 400, title: 'The folder does not exist' },
  FOLDER_EMPTY: { status: 400, title: 'The folder has nothing to register' },
  PATTERN_INVALID: { status: 400, title: 'The pattern cannot be read' },
  PATTERN_NO_MATCH: { status: 400, title: 'The pattern matches no file' },
  PATTERN_AMBIGUOUS: { status: 400, title: 'The pattern gives one key to two shards' },
  METADATA_INVALID: { status: 400, title: 'A table of metadata beside the data cannot be read' },
  NOTEBOOK_INVALID: { status: 400, title: 'The notebook cannot be read' },
  NOTEBOOK_WITHOUT_PARAMETERS: { status: 400, title: 'The notebook has no cell tagged `parameters`' },
  PARAMETERS_CELL_INVALID: { status: 400, title: 'The cell tagged `parameters` cannot be read' },
  CONTRACT_INVALID: { status: 400, title: 'The parameter contract is not usable' },
  PARAMETER_UNKNOWN: { status: 400, title: 'A parameter is not in the contract of the analysis' },
  PARAMETER_INVALID: { status: 400, title: 'The value of a parameter does not fit its contract' },
  PARAMETER_MISSING: { status: 400, title: 'A parameter without a default has no value' },
  IMAGE_INVALID: { status: 400, title: 'The image cannot be used' },
  IMAGE_NOT_FOUND: { status: 400, title: 'The registry has no such image' },
  REGISTRY_NOT_ALLOWED: { status: 400, title: 'The registry is not one that this server may ask' },
  KERNEL_NOT_FOUND: { status: 400, title: 'The kernel of the notebook is not installed here' },
  PLAN_EMPTY: { status: 400, title: 'The plan has no task' },
  RESOURCES_EXCEEDED: { status: 400, title: 'The task asks for more than this machine has' },
  NOT_SIGNED_IN: { status: 401, title: 'The request carries no valid token' },
  FORBIDDEN: { status: 403, title: 'You may see this, but not do that to it' },
  NOT_FOUND: { status: 404, title: 'There is nothing here by that name that you may see' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'This address does not take that method' },
  NAME_TAKEN: { status: 409, title: 'You already have one of that name' },
  STATE_CONFLICT: { status: 409, title: 'The present state does not allow that' },
  IDEMPOTENCY_CONFLICT: { status: 409, title: 'The key was used before with another request' },
  DATASET_INDEXING: { status: 409, title: 'The dataset version is still being indexed' },
  DATASET_CHANGED: { status: 409, title: 'The data are no longer what was registered' },
  TOO_LARGE: { status: 413, title: 'The request is larger than is allowed' },
  MEDIA_TYPE_UNSUPPORTED: { status: 415, title: 'The request body must be JSON' },
  RANGE_INVALID: { status: 416, title: 'The range lies outside the object' },
  RUNNER_UNSUITED: { status: 422, title: 'The runner of this server cannot do that' },
  INTERNAL: { status: 500, title: 'The server made a mistake; the log has the request id' },
  RUNNER_UNAVAILABLE: { status: 503, title: 'The runner cannot be reached' },
  REGISTRY_UNAVAILABLE: { status: 503, title: 'The image registry cannot be reached' },
  STORE_UNAVAILABLE: { status: 503, title: 'The object store cannot be reached' },
  STORE_REFUSED: { status: 503, title: 'The object store refuses this server' },
  STORE_UNSUITED: { status: 503, title: 'The object store cannot keep results safe' },
  DISK_FULL: { status: 507, title: 'There is no room left for it' },
  SERVER_UNAVAILABLE: { status: 503, title: 'The labscale server does not run' },
  STOPPING: { status: 503, title: 'The server is stopping' }
} as const;

export type ProblemCode = keyof typeof problemCodes;

/** RFC 9457 problem details with a code that clients switch on, the field at fault and the mend. */
export const Problem = noun(
  'Problem',
  'What went wrong, where, and what to do (RFC 9457).',
  strict({
    type: Type.String({ description: 'urn:labscale:problem:<code>' }),
    code: Type.Enum(Object.keys(problemCodes) as ProblemCode[]),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'This occurrence in plain words.' }),
    field: Type.Optional(Type.String({ description: 'JSON pointer or name of the field at fault.' })),
    mend: Type.Optional(Type.String({ description: 'What to do about it.' })),
    requestId: Type.Optional(Type.String())
  })
);
export type Problem = Static<typeof Problem>;
