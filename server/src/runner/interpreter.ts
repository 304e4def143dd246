import { execFile } from 'node:child_process';
import { hash } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AnalysisVersion } from '@labscale/schema';
import { canonicalJson } from '../metadata/canonical-json.js';
import { ProblemError } from '../problem-error.js';
import type { WorkerPlace } from './worker-process.js';

const run = promisify(execFile);
const patienceMs = 60_000;

/** What decides, beside analysis, values and data, what a program makes. */
export interface Environment {
  /** Runs the worker. */
  interpreter: string;
  /** Where it is not this machine. */
  image?: string;
  digest: string;
  packages: Record<string, string>;
}

/** Says what a notebook or command would run in. */
export interface Environments {
  /** Raises KERNEL_NOT_FOUND, RUNNER_UNAVAILABLE. */
  environmentOf(kernel: AnalysisVersion['kernel'], kind: AnalysisVersion['kind']): Promise<Environment>;
  /** Whether a container analysis may use an image, as `registry/repository@sha256:...`. */
  allowsImage(reference: string): boolean;
}

interface Kernelspec {
  displayName: string;
  language: string;
  /** Null for a kernel that is not Python. */
  interpreter: string | null;
  argv: string[];
}

interface Installed {
  digest: string;
  packages: Record<string, string>;
}

/** Finds interpreters and says what they have installed; asked again only where an import folder has changed. */
export class Interpreters implements Environments {
  readonly #installed = new Map<string, { folders: string[]; seen: string; found: Promise<Installed> }>();
  #kernels: { at: number; found: Promise<Record<string, Kernelspec>> } | undefined;

  constructor(private readonly place: WorkerPlace) {}

  /** The environment of a kernel, or of a command where there is none. Raises KERNEL_NOT_FOUND, RUNNER_UNAVAILABLE. */
  async environmentOf(kernel: AnalysisVersion['kernel'], kind: AnalysisVersion['kind']): Promise<Environment> {
    if (kind === 'command' || kernel === null) {
      // A notebook that names no kernel is run by that of Jupyter, as Lab would offer first.
      return { interpreter: this.place.jupyterPython, ...(await this.#installedOf(this.place.jupyterPython)) };
    }
    const spec = await this.#kernelspec(kernel.name);
    const interpreter = spec.interpreter ?? this.place.jupyterPython;
    const installed = await this.#installedOf(interpreter);
    if (spec.interpreter !== null) return { interpreter, ...installed };
    // Nothing tells what another language has installed: how its kernel is started stands for it.
    const digest = `sha256:${hash('sha256', canonicalJson({ installed: installed.digest, argv: spec.argv }))}`;
    return { interpreter, digest, packages: installed.packages };
  }

  allowsImage(): boolean {
    return false;
  }

  async #kernelspec(name: string): Promise<Kernelspec> {
    const known = this.#kernels && (await this.#kernels.found.catch(() => undefined))?.[name];
    if (known && Date.now() - this.#kernels!.at < 60_000) return known;
    const found = this.#runScript<Record<string, Kernelspec>>(this.place.jupyterPython, 'kernelspecs.py');
    this.#kernels = { at: Date.now(), found };
    const all = await found;
    const spec = Object.hasOwn(all, name) ? all[name] : undefined;
    if (spec === undefined) {
      const names = Object.keys(all).join(', ') || 'none';
      throw new ProblemError('KERNEL_NOT_FOUND', `The kernel "${name}" is not installed here; there are: ${names}.`, {
        mend: `Install that kernel, or choose another for the notebook and register it again.`
      });
    }
    return spec;
  }

  async #installedOf(interpreter: string): Promise<Installed> {
    const kept = this.#installed.get(interpreter);
    if (kept !== undefined && kept.seen === seenOf(kept.folders)) return await kept.found;
    const folders = await this.#importFolders(interpreter);
    // The times are taken before the look: what changes meanwhile is seen the next time.
    const seen = seenOf(folders);
    const found = this.#runScript<Installed>(interpreter, 'environment.py');
    this.#installed.set(interpreter, { folders, seen, found });
    found.catch(() => this.#installed.delete(interpreter));
    const { digest, packages } = await found;
    return { digest, packages };
  }

  async #importFolders(interpreter: string): Promise<string[]> {
    const text = await this.#run(interpreter, ['-c', 'import json, sys; print(json.dumps(sys.path[1:]))']);
    return JSON.parse(text) as string[];
  }

  async #runScript<T>(interpreter: string, name: string): Promise<T> {
    return JSON.parse(await this.#run(interpreter, [join(this.place.helpersFolder, 'labscale', name)])) as T;
  }

  async #run(interpreter: string, options: string[]): Promise<string> {
    try {
      const { stdout } = await run(interpreter, options, {
        cwd: this.place.dataFolder,
        env: this.place.environment,
        timeout: patienceMs,
        maxBuffer: 16 * 1_048_576
      });
      return stdout;
    } catch (error) {
      const { stderr, message } = error as { stderr?: string; message: string };
      const said = stderr?.trimEnd().split('\n').at(-1) || message.split('\n')[0];
      throw new ProblemError('RUNNER_UNAVAILABLE', `The interpreter ${interpreter} does not answer: ${said}`, {
        mend: 'Check that it starts and that its packages are whole.',
        cause: error
      });
    }
  }
}

function seenOf(folders: readonly string[]): string {
  return folders.map((folder) => statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0).join();
}
