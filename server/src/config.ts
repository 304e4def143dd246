import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { runnerKinds, type RunnerKind } from '@labscale/schema';
import { readRegistryList, type AllowedRegistry } from './images/registry-list.js';
import { Secret, type S3Settings } from './objects/s3-settings.js';
import { readProfile, type Profile } from './runner/kubernetes/profile.js';
import { faultPointNames, type FaultPointName } from './runs/fault-point.js';

/** What the environment says; this is the only file that reads it. */
export interface Config {
  projectFolder: string;
  dataFolder: string;
  host: string;
  port: number;
  /** Undefined: a new one is made at start. */
  token: string | undefined;
  /** The interpreter that Jupyter itself runs in. */
  jupyterPython: string;
  /** Folder that holds the Python package `labscale`. */
  helpersFolder: string;
  cpus: number;
  memoryBytes: number;
  logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';
  metadata: 'sqlite';
  objects: 'local' | 'minio';
  /** Where objects are where they are not in the data folder. */
  s3: S3Settings | undefined;
  runner: RunnerKind;
  /** Where runs go where they do not run here. */
  kubernetes: { profile: Profile; kubeconfig: string | undefined } | undefined;
  /** Registries of which images may be registered; none: there are no analyses of containers. */
  registries: AllowedRegistry[];
  /** What programs see of this server's environment. */
  workerEnvironment: Readonly<Record<string, string>>;
  /** Tests only: the step of a run at which the server is to be killed, and at which time that it comes by. */
  faultPoint: { name: FaultPointName; nth: number } | undefined;
}

export class ConfigError extends Error {}

function choice<T extends string>(environment: NodeJS.ProcessEnv, name: string, allowed: readonly T[], fallback: T): T {
  const value = environment[name] ?? fallback;
  if (!(allowed as readonly string[]).includes(value)) {
    throw new ConfigError(`${name} is "${value}"; it can be ${allowed.join(', ')}`);
  }
  return value as T;
}

function whole(
  environment: NodeJS.ProcessEnv,
  name: string,
  fallback: number,
  minimum: number,
  maximum: number
): number {
  const text = environment[name];
  if (text === undefined || text === '') return fallback;
  // Number() reads more than was meant: "0x50", "1e3", " 80".
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(value >= minimum && value <= maximum)) {
    throw new ConfigError(`${name} is "${text}"; it must be a whole number from ${minimum} to ${maximum}`);
  }
  return value;
}

function readRegistries(text: string): AllowedRegistry[] {
  const list = readRegistryList(text);
  if (Array.isArray(list)) return list;
  throw new ConfigError(
    `LABSCALE_REGISTRIES has "${list.fault}"; it lists registries as host or host:port, with http:// before those without TLS, separated by commas`
  );
}

/** Names of buckets as S3 has them, so that one can stand in a policy and in the name of a host. */
const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

function readBucket(variable: string, name: string): string {
  if (!bucketName.test(name) || name.includes('..')) {
    throw new ConfigError(
      `${variable} is "${name}"; a bucket has 3 to 63 lower-case letters, digits, dots and hyphens, and begins and ends with a letter or digit`
    );
  }
  return name;
}

function readEndpoint(variable: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const rest = url && url.username + url.password + url.search + url.hash + url.pathname.replace(/^\/$/, '');
  if (url === undefined || !/^https?:$/.test(url.protocol) || rest !== '' || /[?#@]/.test(text)) {
    throw new ConfigError(`${variable} must be http://host:port or https://host:port and nothing more`);
  }
  return url.origin;
}

function readText(variable: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`${variable} is ${file}, which cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function readAuthorities(file: string, endpoint: string): string {
  const text = readText('LABSCALE_S3_CA_FILE', file);
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new ConfigError(`LABSCALE_S3_CA_FILE is ${file}, which has no certificate in PEM`);
  }
  if (!endpoint.startsWith('https:')) {
    throw new ConfigError('LABSCALE_S3_CA_FILE is set, but LABSCALE_S3_ENDPOINT does not start with https://');
  }
  return text;
}

/** The keys of the store. No error shows a part of them. */
function readKeys(environment: NodeJS.ProcessEnv): { accessKey: string; secretKey: string } {
  const variables = ['LABSCALE_S3_ACCESS_KEY', 'LABSCALE_S3_SECRET_KEY'] as const;
  const file = environment['LABSCALE_S3_CREDENTIALS_FILE'];
  if (file) {
    const twice = variables.find((name) => environment[name]);
    if (twice) throw new ConfigError(`LABSCALE_S3_CREDENTIALS_FILE and ${twice} are both set; keep one of them`);
    return readKeysFile(file);
  }
  const [accessKey, secretKey] = variables.map((name) => {
    const key = environment[name];
    if (key && /^[\x21-\x7e]+$/.test(key)) return key;
    throw new ConfigError(
      `${name} must be a key of printable ASCII where LABSCALE_OBJECTS is minio, or LABSCALE_S3_CREDENTIALS_FILE name a file with both`
    );
  });
  return { accessKey: accessKey!, secretKey: secretKey! };
}

function readKeysFile(file: string): { accessKey: string; secretKey: string } {
  const text = readText('LABSCALE_S3_CREDENTIALS_FILE', file);
  let keys: Record<string, unknown> = {};
  try {
    keys = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // As an empty one; what JSON.parse says of it would show a part of a key.
  }
  const { accessKey, secretKey } = keys ?? {};
  if (typeof accessKey !== 'string' || typeof secretKey !== 'string' || accessKey === '' || secretKey === '') {
    throw new ConfigError(
      `LABSCALE_S3_CREDENTIALS_FILE is ${file}; it must hold {"accessKey": "...", "secretKey": "..."}`
    );
  }
  return { accessKey, secretKey };
}

function readS3(environment: NodeJS.ProcessEnv): S3Settings {
  const needed = (name: string, example: string) => {
    const text = environment[name];
    if (!text) throw new ConfigError(`${name} must be set where LABSCALE_OBJECTS is minio, as ${example}`);
    return text;
  };
  const endpoint = readEndpoint('LABSCALE_S3_ENDPOINT', needed('LABSCALE_S3_ENDPOINT', 'http://127.0.0.1:9000'));
  const bucket = readBucket('LABSCALE_S3_BUCKET', needed('LABSCALE_S3_BUCKET', 'labscale'));
  const region = environment['LABSCALE_S3_REGION'] || 'us-east-1';
  if (!/^[A-Za-z0-9_-]+$/.test(region)) throw new ConfigError(`LABSCALE_S3_REGION is "${region}", which is no region`);
  const caFile = environment['LABSCALE_S3_CA_FILE'];
  const { accessKey, secretKey } = readKeys(environment);
  const dataBuckets = (environment['LABSCALE_S3_DATA_BUCKETS'] || undefined)?.split(',') ?? [];
  for (const name of dataBuckets) {
    readBucket('LABSCALE_S3_DATA_BUCKETS', name);
    if (name === bucket) {
      throw new ConfigError(`LABSCALE_S3_DATA_BUCKETS names "${name}", which LABSCALE_S3_BUCKET names already`);
    }
  }
  const podEndpoint = environment['LABSCALE_S3_POD_ENDPOINT'];
  return {
    ...{ endpoint, bucket, region, accessKey, dataBuckets },
    pathStyle: choice(environment, 'LABSCALE_S3_PATH_STYLE', ['true', 'false'], 'true') === 'true',
    ca: caFile ? readAuthorities(caFile, endpoint) : undefined,
    secretKey: new Secret(secretKey),
    podEndpoint: podEndpoint ? readEndpoint('LABSCALE_S3_POD_ENDPOINT', podEndpoint) : endpoint
  };
}

function readKubernetes(environment: NodeJS.ProcessEnv, objects: string): NonNullable<Config['kubernetes']> {
  if (objects !== 'minio') {
    throw new ConfigError(
      `LABSCALE_RUNNER is "kubernetes" and LABSCALE_OBJECTS is "${objects}"; pods reach no disk of this machine: set LABSCALE_OBJECTS to minio`
    );
  }
  const file = environment['LABSCALE_KUBERNETES_PROFILE'];
  if (!file) throw new ConfigError("LABSCALE_KUBERNETES_PROFILE must name the administrator's profile, a JSON file");
  const kubeconfig = environment['KUBECONFIG'] || undefined;
  if (kubeconfig !== undefined) readText('KUBECONFIG', kubeconfig);
  try {
    return { profile: readProfile(file), kubeconfig };
  } catch (error) {
    throw new ConfigError(`LABSCALE_KUBERNETES_PROFILE: ${(error as Error).message}`);
  }
}

/** Programs get the environment without what opens this server, Jupyter or the hub to whoever holds it. */
function programEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  const secret = /^(LABSCALE_|JUPYTERHUB_|JPY_)|^JUPYTER_TOKEN$|^CONFIGPROXY_/;
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !secret.test(entry[0])
    )
  );
}

function readFaultPoint(text: string | undefined): Config['faultPoint'] {
  if (text === undefined) return undefined;
  const [name, nth] = text.split(':');
  const found = faultPointNames.find((known) => known === name);
  if (found === undefined || !/^[1-9]\d*$/.test(nth ?? '')) {
    throw new ConfigError(
      `LABSCALE_FAULT_POINT is "${text}"; it must be NAME:NTH with one of ${faultPointNames.join(', ')}`
    );
  }
  return { name: found, nth: Number(nth) };
}

/** Reads and checks the configuration. Raises ConfigError with the name of the variable at fault. */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const projectFolder = resolve(environment['LABSCALE_PROJECT'] ?? '.');
  const data = environment['LABSCALE_DATA'];
  if (data !== undefined && !isAbsolute(data)) throw new ConfigError('LABSCALE_DATA must be an absolute path');
  // Node takes an empty host for every address of the machine.
  const host = environment['LABSCALE_HOST'] ?? '127.0.0.1';
  if (host === '') throw new ConfigError('LABSCALE_HOST is empty; it must name an address, such as 127.0.0.1');
  const token = environment['LABSCALE_TOKEN'] || undefined;
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new ConfigError('LABSCALE_TOKEN must be one word of printable ASCII, or no request could carry it');
  }
  const helpersFolder = environment['LABSCALE_HELPERS'];
  if (!helpersFolder)
    throw new ConfigError('LABSCALE_HELPERS must name the folder that holds the Python package labscale');
  const objects = choice(environment, 'LABSCALE_OBJECTS', ['local', 'minio'], 'local');
  const runner = choice(environment, 'LABSCALE_RUNNER', runnerKinds, 'local');
  return {
    projectFolder,
    dataFolder: data ?? join(projectFolder, '.labscale'),
    host,
    port: whole(environment, 'LABSCALE_PORT', 0, 0, 65_535),
    token,
    jupyterPython: environment['LABSCALE_PYTHON'] ?? 'python3',
    helpersFolder: resolve(helpersFolder),
    cpus: whole(environment, 'LABSCALE_CPUS', availableParallelism(), 1, 1_024),
    memoryBytes: whole(environment, 'LABSCALE_MEMORY_BYTES', totalmem(), 16_777_216, Number.MAX_SAFE_INTEGER),
    logLevel: choice(environment, 'LABSCALE_LOG_LEVEL', ['fatal', 'error', 'warn', 'info', 'debug', 'trace'], 'info'),
    metadata: choice(environment, 'LABSCALE_METADATA', ['sqlite'], 'sqlite'),
    objects,
    s3: objects === 'minio' ? readS3(environment) : undefined,
    runner,
    kubernetes: runner === 'kubernetes' ? readKubernetes(environment, objects) : undefined,
    registries: readRegistries(environment['LABSCALE_REGISTRIES'] ?? ''),
    workerEnvironment: programEnvironment(environment),
    faultPoint: readFaultPoint(environment['LABSCALE_FAULT_POINT'])
  };
}
