import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';

/** What an administrator lays down for every pod of a run; users can change none of it. */
export interface Profile {
  namespace: string;
  /** Has Python and the package labscale: brings the worker and moves the data. */
  agentImage: string;
  /** Runs notebooks and commands. */
  image: string;
  /** Images that container analyses may use; `*` stands for any characters. Empty: none. */
  images: string[];
  /** The interpreter in `image`. */
  python: string;
  uid: number;
  imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  imagePullSecrets: string[];
  nodeSelector: Record<string, string>;
  tolerations: {
    key?: string;
    operator?: string;
    value?: string;
    effect?: string;
    tolerationSeconds?: number;
  }[];
  priorityClassName: string | null;
  /** A Kueue queue that Jobs are handed to. */
  queue: string | null;
  /** How a GPU is asked for, and how many a task may have. */
  gpu: { resource: string; count: number };
  /** The part of a task's CPUs that its pod asks to have for itself; it may use all of them where they are free. */
  cpuRequestFraction: number;
  /** Pods of a run at once. */
  maxPods: number;
  /** Disk of a pod: its shards, what its tasks write, their logs. */
  scratchBytes: number;
  /** Holds `ca.crt`, by which the object store is known. */
  caConfigMap: string | null;
  /** A run whose pods fail in a larger part than this is given up; null: never. */
  maxFailedFraction: number | null;
}

const text = { type: 'string', minLength: 1, maxLength: 512 };
const name = { type: 'string', pattern: '^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$' };
const orNull = (schema: object) => ({ anyOf: [schema, { type: 'null' }], default: null });
const strict = (properties: Record<string, object>, required: string[] = []) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required
});

const schema = strict(
  {
    namespace: { type: 'string', pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$' },
    agentImage: text,
    image: text,
    images: { type: 'array', items: text, default: [] },
    python: { ...text, default: 'python3' },
    // Root is what the namespace refuses.
    uid: { type: 'integer', minimum: 1, maximum: 2_147_483_647, default: 1000 },
    imagePullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'], default: 'IfNotPresent' },
    imagePullSecrets: { type: 'array', items: name, default: [] },
    nodeSelector: { type: 'object', additionalProperties: { type: 'string' }, default: {} },
    tolerations: {
      type: 'array',
      default: [],
      items: strict({
        key: { type: 'string' },
        operator: { enum: ['Exists', 'Equal'] },
        value: { type: 'string' },
        effect: { enum: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] },
        tolerationSeconds: { type: 'integer' }
      })
    },
    priorityClassName: orNull(name),
    queue: orNull(name),
    gpu: {
      ...strict({
        resource: { ...text, default: 'nvidia.com/gpu' },
        count: { type: 'integer', minimum: 0, maximum: 16, default: 0 }
      }),
      default: {}
    },
    cpuRequestFraction: { type: 'number', exclusiveMinimum: 0, maximum: 1, default: 1 },
    maxPods: { type: 'integer', minimum: 1, maximum: 100_000, default: 50 },
    scratchBytes: { type: 'integer', minimum: 16_777_216, default: 10_737_418_240 },
    caConfigMap: orNull(name),
    maxFailedFraction: orNull({ type: 'number', minimum: 0, maximum: 1 })
  },
  ['namespace', 'agentImage', 'image']
);

/** Raises an Error that names the file, the field at fault and what it can be. */
export function readProfile(file: string): Profile {
  let profile: unknown;
  try {
    profile = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`the profile ${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const ajv = new Ajv({ strict: false, useDefaults: true });
  if (ajv.validate(schema, profile)) return profile as unknown as Profile;
  const [fault] = ajv.errors ?? [];
  const where = fault?.instancePath.slice(1).replaceAll('/', '.') ?? '';
  const field = [where, fault?.params['additionalProperty'] ?? fault?.params['missingProperty']]
    .filter((part) => part !== undefined && part !== '')
    .join('.');
  const allowed = fault?.params['allowedValues'] as string[] | undefined;
  const says =
    fault?.keyword === 'additionalProperties'
      ? 'is not a field of a profile'
      : fault?.keyword === 'required'
        ? 'is missing'
        : allowed === undefined
          ? (fault?.message ?? 'does not fit')
          : `must be one of ${allowed.join(', ')}`;
  throw new Error(`the profile ${file} cannot be used: ${field === '' ? 'it' : `"${field}"`} ${says}`);
}

/** Whether a container analysis may use an image; of `*` any number of characters stand for it. */
export function allowsImage(profile: Pick<Profile, 'images'>, reference: string): boolean {
  return profile.images.some((pattern) => {
    const escaped = pattern.split('*').map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&'));
    return new RegExp(`^${escaped.join('.*')}$`, 's').test(reference);
  });
}
