import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startTicksOf } from './processes.js';
import type { AttemptName, AttemptReport, TaskOrder } from './runner.js';

/** What the worker says; ARCHITECTURE.md has the protocol. */
export type WorkerMessage =
  | { event: 'ready'; pid: number; slots: number }
  | { event: 'started'; index: number; attempt: number; at: string }
  | { event: 'progress'; index: number; attempt: number; progress: number }
  /** Its program has ended; what follows takes as long as the object store does. */
  | { event: 'publishing'; index: number; attempt: number }
  | { event: 'ended'; index: number; attempt: number; report: AttemptReport };

export interface WorkerPlace {
  dataFolder: string;
  objectsFolder: string;
  helpersFolder: string;
  jupyterPython: string;
  environment: Readonly<Record<string, string>>;
  /** For `labscale.transfer`, where objects are not in `objectsFolder`; see `transfer-environment.ts`. */
  transferEnvironment?: Readonly<Record<string, string>>;
}

/** `workers/<worker>.json`: what a later server needs to find a worker that outlived this one. */
export interface WorkerRecord {
  pid: number;
  startTicks: number;
  runId: string;
}

/** One worker process of a run: its pipes, its record on disk, its end. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #recordFile: string;
  readonly #logFile: string;
  #rest = '';
  #ready = false;
  #gone = false;

  constructor(
    place: WorkerPlace,
    readonly runId: string,
    readonly workerId: string,
    readonly slots: number,
    interpreter: string,
    handlers: {
      message: (message: WorkerMessage) => void;
      gone: (detail: string) => void;
      nonsense: (line: string) => void;
    }
  ) {
    const folder = join(place.dataFolder, 'workers');
    mkdirSync(folder, { recursive: true });
    this.#recordFile = join(folder, `${workerId}.json`);
    this.#logFile = join(folder, `${workerId}.log`);
    const log = openSync(this.#logFile, 'a', 0o600);
    const packageFolder = join(place.helpersFolder, 'labscale');
    const program =
      place.transferEnvironment === undefined
        ? [join(packageFolder, 'worker.py'), '--objects', place.objectsFolder]
        : [join(packageFolder, 'transfer', '__main__.py'), 'local'];
    const options = ['--data', place.dataFolder, '--run', runId, '--worker', workerId, '--slots', String(slots)];
    try {
      this.#child = spawn(
        interpreter,
        [...program, ...options, '--jupyter-python', place.jupyterPython],
        // A session of its own: what ends the server's terminal or process group leaves the worker alone.
        {
          cwd: place.dataFolder,
          env: { ...place.environment, ...place.transferEnvironment },
          detached: true,
          stdio: ['pipe', 'pipe', log]
        }
      );
    } finally {
      closeSync(log);
    }
    const gone = (detail: string) => {
      if (this.#gone) return;
      this.#gone = true;
      rmSync(this.#recordFile, { force: true });
      handlers.gone(detail);
      rmSync(this.#logFile, { force: true });
    };
    const { pid, stdin, stdout } = this.#child;
    this.#child.once('error', (error) => gone(`The worker could not be started (${error.message}).`));
    const ended = (code: number | null, signal: NodeJS.Signals | null) => {
      const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
      const said = this.#lastWords();
      gone(`The worker ${how}.${said && code !== 0 ? ` It said: ${said}` : ''}`);
    };
    // `close` comes after the last of what it wrote; it may never come where a process that it left behind holds the pipe.
    this.#child.once('close', ended);
    this.#child.once('exit', (code, signal) => void setTimeout(ended, 500, code, signal).unref());
    // A broken pipe is told by `close`.
    stdin?.on('error', () => {});
    stdout?.setEncoding('utf8');
    stdout?.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) {
        let message: WorkerMessage;
        try {
          message = JSON.parse(line) as WorkerMessage;
        } catch {
          handlers.nonsense(line);
          continue;
        }
        if (message.event === 'ready') this.#ready = true;
        handlers.message(message);
      }
    });
    const startTicks = pid === undefined ? undefined : startTicksOf(pid);
    if (pid !== undefined && startTicks !== undefined) {
      // The worker writes the same as soon as it can; until then a server that comes after a crash must find it too.
      const record: WorkerRecord = { pid, startTicks, runId };
      writeFileSync(`${this.#recordFile}.server`, JSON.stringify(record), { mode: 0o600 });
      renameSync(`${this.#recordFile}.server`, this.#recordFile);
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get ready(): boolean {
    return this.#ready;
  }

  run(order: TaskOrder): void {
    this.#say({ do: 'run', ...order });
  }

  stop({ index, attempt }: AttemptName): void {
    this.#say({ do: 'stop', index, attempt });
  }

  /** It ends after what it does now. */
  finish(): void {
    this.#say({ do: 'finish' });
    this.#child.stdin?.end();
  }

  /** The server goes, the worker finishes what it does. */
  letGo(): void {
    this.finish();
    this.#gone = true;
    this.#child.stdout?.destroy();
    this.#child.unref();
  }

  #say(message: object): void {
    if (!this.#gone && this.#child.stdin?.writable) this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  #lastWords(): string {
    try {
      return readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').at(-1)?.trim().slice(0, 300) ?? '';
    } catch {
      return '';
    }
  }
}
