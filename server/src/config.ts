import { availableParallelism, totalmem } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { readRegistryList, type AllowedRegistry } from './images/registry-list.js';
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
  objects: 'local';
  runner: 'local';
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
    objects: choice(environment, 'LABSCALE_OBJECTS', ['local'], 'local'),
    runner: choice(environment, 'LABSCALE_RUNNER', ['local'], 'local'),
    registries: readRegistries(environment['LABSCALE_REGISTRIES'] ?? ''),
    workerEnvironment: programEnvironment(environment),
    faultPoint: readFaultPoint(environment['LABSCALE_FAULT_POINT'])
  };
}
