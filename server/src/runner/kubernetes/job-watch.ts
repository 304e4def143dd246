import type { Logger } from 'pino';
import { ClusterError, pauseBefore, type Cluster, type Job } from './kubernetes-client.js';

/** Silence after which a watch is held to be dead: the server ends it, or sends a bookmark, well before. */
const quietMs = 60_000;
/** All is listed anew now and then, whatever the watch says: what it lost once would else stay lost. */
const listAgainMs = 10 * 60_000;

export interface JobListener {
  changed(job: Job): void;
  gone(job: Job): void;
}

/** The Jobs that a selector chooses as the cluster has them: one list, then a watch that outlives what befalls it. */
export class JobWatch {
  readonly #jobs = new Map<string, Job>();
  #ending: AbortController | undefined;
  #listed: Promise<void> = Promise.resolve();
  #hasListed = () => {};
  /** Why the cluster cannot be asked just now. */
  trouble: string | undefined;

  constructor(
    private readonly cluster: Cluster,
    private readonly selector: string,
    private readonly listener: JobListener,
    private readonly logger: Logger,
    private readonly patienceMs = quietMs
  ) {}

  /** Resolves when the Jobs were listed once. */
  async start(): Promise<void> {
    if (this.#ending === undefined) {
      this.#ending = new AbortController();
      this.#listed = new Promise((resolve) => (this.#hasListed = resolve));
      void this.#run(this.#ending.signal);
    }
    await this.#listed;
  }

  stop(): void {
    this.#ending?.abort();
    this.#ending = undefined;
    this.#hasListed();
    this.#jobs.clear();
  }

  job(name: string): Job | undefined {
    return this.#jobs.get(name);
  }

  /** Those that are there, by a label. */
  labelled(label: string, value: string): Job[] {
    return [...this.#jobs.values()].filter((job) => job.metadata?.labels?.[label] === value);
  }

  /** Takes in a Job that was made or read beside the watch, which may tell of it later. */
  learn(job: Job): void {
    this.#take(job);
  }

  async #run(signal: AbortSignal): Promise<void> {
    let version: string | undefined;
    let listedAt = 0;
    let tries = 0;
    while (!signal.aborted) {
      const startedAt = Date.now();
      try {
        if (version === undefined || startedAt - listedAt > listAgainMs) {
          const { jobs, resourceVersion } = await this.cluster.listJobs(this.selector);
          if (signal.aborted) return;
          version = resourceVersion;
          listedAt = startedAt;
          this.#takeList(jobs, versionFrom(resourceVersion));
          this.#hasListed();
        }
        this.trouble = undefined;
        const silence = new AbortController();
        let timer = setTimeout(() => silence.abort(), this.patienceMs).unref();
        try {
          await this.cluster.watchJobs(
            this.selector,
            version,
            ({ type, job }) => {
              if (signal.aborted) return;
              clearTimeout(timer);
              timer = setTimeout(() => silence.abort(), this.patienceMs).unref();
              tries = 0;
              version = job.metadata?.resourceVersion ?? version;
              if (type === 'DELETED') this.#forget(job);
              else if (type !== 'BOOKMARK') this.#take(job);
            },
            AbortSignal.any([signal, silence.signal])
          );
        } finally {
          clearTimeout(timer);
        }
        if (silence.signal.aborted) {
          this.logger.warn('the watch of Jobs fell silent; they are listed again');
          version = undefined;
          this.cluster.reconnect();
        } else if (Date.now() - startedAt < 1_000) await pauseBefore(tries++, signal);
      } catch (error) {
        if (signal.aborted) return;
        const gone = error instanceof ClusterError && error.status === 410;
        if (gone) version = undefined;
        else this.trouble = (error as Error).message;
        this.logger.warn({ err: error }, gone ? 'the watch of Jobs came too late' : 'the Jobs cannot be watched');
        await pauseBefore(tries++, signal);
      }
    }
  }

  #takeList(jobs: readonly Job[], asOf: bigint): void {
    const names = new Set(jobs.map(nameOf));
    for (const job of [...this.#jobs.values()]) {
      // One that was made after the list was drawn up is not in it.
      if (!names.has(nameOf(job)) && versionOf(job) <= asOf) this.#forget(job);
    }
    for (const job of jobs) this.#take(job);
  }

  #take(job: Job): void {
    const known = this.#jobs.get(nameOf(job));
    if (known !== undefined && known.metadata?.uid === job.metadata?.uid) {
      // Something between the server and here may say things twice, or in another order.
      if (versionOf(job) <= versionOf(known)) return;
    } else if (known !== undefined) this.#forget(known);
    this.#jobs.set(nameOf(job), job);
    this.listener.changed(job);
  }

  #forget(job: Job): void {
    const known = this.#jobs.get(nameOf(job));
    if (known === undefined || known.metadata?.uid !== job.metadata?.uid) return;
    this.#jobs.delete(nameOf(job));
    this.listener.gone(job);
  }
}

function nameOf(job: Job): string {
  return job.metadata?.name ?? '';
}

function versionOf(job: Job): bigint {
  return versionFrom(job.metadata?.resourceVersion ?? '');
}

function versionFrom(text: string): bigint {
  return /^\d+$/.test(text) ? BigInt(text) : 0n;
}
