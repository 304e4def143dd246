import type { ObjectStore } from '../../objects/object-store.js';
import type { RunnerEvent, TaskOrder } from '../runner.js';
import { indexLabel } from './job-manifest.js';
import type { Cluster, Job, Pod } from './kubernetes-client.js';
import { whyEnded, whyWaiting, type Reason } from './pod-reasons.js';
import { inputsOf, type RunInputs } from './run-secret.js';
import { PodJournals } from './pod-journals.js';
import { WaveTasks, parseIndexes } from './wave-tasks.js';

/** Silence of a Job none of whose pods are ready, after which it is asked why; and how often it is then asked. */
const quietMs = 6_000;
const askAgainMs = 15_000;
/** How long an image may be out of reach: registries come back, and tags are pushed late. */
const imagePatienceMs = 120_000;
const podsAskedFor = 20;
const indexesAtOnce = 50;

/** One wave of a run: a Job, its pods' journals, and what they say of the tasks. */
export class WaveInHand {
  readonly tasks: WaveTasks;
  /** Where its shards lie. */
  readonly inputs: RunInputs;
  job: Job | undefined;
  /** Why its tasks wait; undefined where nothing keeps them. */
  waiting: string | undefined;
  readonly #journals: PodJournals;
  #jobGone = false;
  #finished = false;
  #busy = false;
  #again = false;
  #pollAt = 0;
  #newsAt = Date.now();
  #askAt = 0;
  #imageMissingSince: number | undefined;

  constructor(
    private readonly runId: string,
    readonly wave: number,
    packs: readonly (readonly TaskOrder[])[],
    private readonly cluster: Cluster,
    objects: ObjectStore,
    private readonly emit: (event: RunnerEvent) => void,
    private readonly failed: (error: unknown) => void
  ) {
    this.tasks = new WaveTasks(runId, packs);
    this.inputs = inputsOf(packs.flatMap((tasks) => tasks.flatMap(({ shard }) => shard.objects)));
    this.#journals = new PodJournals(objects, runId, wave);
  }

  /** Whether the cluster does nothing more for it. */
  get over(): boolean {
    return this.#jobGone || this.#finished;
  }

  hearJob(job: Job): void {
    this.job = job;
    if ((job.status?.ready ?? 0) > 0) {
      this.#newsAt = Date.now();
      this.waiting = undefined;
    }
    void this.#look();
  }

  hearGone(): void {
    this.#jobGone = true;
    void this.#look();
  }

  /** Once a second. Returns whether what keeps the tasks waiting has become another. */
  async tick(now: number): Promise<boolean> {
    if (this.tasks.open === 0 || this.job === undefined || this.over) return false;
    if (now >= this.#pollAt && (this.job.status?.active ?? 0) > 0) {
      this.#pollAt = Infinity;
      try {
        const walked = await this.#journals.readChanged((pack, journal) => this.#tell(this.tasks.hear(pack, journal)));
        // A thousand journals are a request: those of very many pods are looked at less often.
        this.#pollAt = now + 1_000 * Math.max(1, Math.ceil(walked / 1_000));
      } catch (error) {
        this.#pollAt = now + 1_000;
        throw error;
      }
    }
    const isQuiet = (this.job.status?.ready ?? 0) === 0 && now - this.#newsAt > quietMs;
    if (!isQuiet || now < this.#askAt) return false;
    this.#askAt = now + askAgainMs;
    return await this.#askWhy(now);
  }

  async #look(): Promise<void> {
    this.#again = true;
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#again) {
        this.#again = false;
        await this.#settle();
      }
    } catch (error) {
      this.failed(error);
      setTimeout(() => void this.#look(), 1_000).unref();
    } finally {
      this.#busy = false;
    }
  }

  async #settle(): Promise<void> {
    const { tasks, job } = this;
    const hear = (packs: readonly number[]) =>
      this.#journals.read(packs, (pack, journal) => this.#tell(tasks.hear(pack, journal)));
    const status = job?.status;
    const unsettled = (indexes: string | undefined) => parseIndexes(indexes).filter((pack) => !tasks.isSettled(pack));
    const completed = unsettled(status?.completedIndexes);
    const failed = unsettled(status?.failedIndexes);
    await hear([...completed, ...failed]);
    this.#tell(tasks.settle(completed, { detail: 'Its pod ended well, but said nothing of it.' }));
    const open = failed.filter((pack) => tasks.hasOpen(pack));
    const reasons = await this.#reasonsOf(open);
    for (const pack of failed) {
      this.#tell(tasks.settle([pack], reasons.get(pack) ?? { detail: 'Its pods failed and are gone.' }));
    }
    const end = status?.conditions?.find(({ type, status: is }) => /^(Complete|Failed)$/.test(type) && is === 'True');
    if (end === undefined && !this.#jobGone) return;
    const rest = tasks.unsettled();
    await hear(rest.filter((pack) => tasks.hasOpen(pack)));
    const detail =
      end === undefined ? 'Its Job was deleted from the cluster.' : (end.message ?? `The Job ended: ${end.reason}.`);
    this.#tell(tasks.settle(rest, { detail }));
    if (this.#finished) return;
    this.#finished = end !== undefined;
    if (end?.reason === 'MaxFailedIndexesExceeded') {
      const { runId } = this;
      const limit = `More than ${job?.spec?.maxFailedIndexes} of its ${job?.spec?.completions} pods failed`;
      this.emit({ kind: 'unusable', runId, detail: `${limit}; the administrator's profile gives a run up then.` });
    }
  }

  /** Why the pods of these packs failed, as the last pod of each says. */
  async #reasonsOf(packs: readonly number[]): Promise<Map<number, Reason>> {
    const reasons = new Map<number, Reason>();
    for (let start = 0; start < packs.length; start += indexesAtOnce) {
      const part = packs.slice(start, start + indexesAtOnce);
      const selector = `${this.#podSelector()},${indexLabel} in (${part.join(',')})`;
      const pods = await this.cluster.listPods(selector, 10 * part.length);
      pods.sort((a, b) => createdAt(a) - createdAt(b));
      for (const pod of pods) {
        const reason = whyEnded(pod);
        if (reason !== undefined) reasons.set(Number(pod.metadata?.labels?.[indexLabel]), reason);
      }
    }
    return reasons;
  }

  async #askWhy(now: number): Promise<boolean> {
    const { job, runId } = this;
    const name = job?.metadata?.name ?? '';
    const pods = await this.cluster.listPods(this.#podSelector(), podsAskedFor);
    const events = pods.length === 0 ? await this.cluster.listEventsOf(name) : [];
    const why = whyWaiting(job!, pods, events);
    const before = this.waiting;
    this.waiting = why?.detail;
    this.#imageMissingSince = why?.exitKind === 'image-missing' ? (this.#imageMissingSince ?? now) : undefined;
    const tooLong = now - (this.#imageMissingSince ?? now) > imagePatienceMs;
    if (why !== undefined && (why.hopeless || tooLong)) this.emit({ kind: 'unusable', runId, detail: why.detail });
    return this.waiting !== before;
  }

  #podSelector(): string {
    return `batch.kubernetes.io/job-name=${this.job?.metadata?.name ?? ''}`;
  }

  #tell(events: readonly RunnerEvent[]): void {
    if (events.length === 0) return;
    this.#newsAt = Date.now();
    this.waiting = undefined;
    for (const event of events) this.emit(event);
  }
}

function createdAt(pod: Pod): number {
  return new Date(pod.metadata?.creationTimestamp ?? 0).getTime();
}
