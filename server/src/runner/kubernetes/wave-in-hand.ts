import type { ObjectStore } from '../../objects/object-store.js';
import type { AttemptName, RunnerEvent, TaskOrder } from '../runner.js';
import { readReport } from '../../runs/attempt-report.js';
import { indexLabel } from './job-manifest.js';
import type { Cluster, Job, Pod } from './kubernetes-client.js';
import { disruptionOf, whyEnded, whyStuck, whyWaiting, type Reason, type Trouble } from './pod-reasons.js';
import { inputsOf, type RunInputs } from './run-secret.js';
import { PodJournals, type Journal } from './pod-journals.js';
import { WaveTasks, parseIndexes } from './wave-tasks.js';

/** Silence of a Job none of whose pods are ready, after which it is asked why; and how often it is then asked. */
const quietMs = 6_000;
const askAgainMs = 15_000;
/** How long a pod may be kept from starting: registries come back, and tags are pushed late. */
const stuckMs = 60_000;
/** Of very many these tell enough. */
const podsAskedFor = 200;
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
  /** Since when not all pods that are there are ready, and none has ended well: while some do, others are on their way. */
  #shortSince: number | undefined;
  /** Pods that cannot start, by name, and since when that is known. */
  #stuckSince = new Map<string, number>();
  /** Whether any of its pods has written a journal. */
  #hasSpoken = false;
  /** What befell pods that were being ended when it was looked: they are gone when others take their place. */
  readonly #disruptions = new Map<string, Reason>();
  #isGivenUp = false;

  constructor(
    private readonly runId: string,
    readonly wave: number,
    packs: readonly (readonly TaskOrder[])[],
    private readonly cluster: Cluster,
    private readonly objects: ObjectStore,
    private readonly emit: (event: RunnerEvent) => void,
    private readonly failed: (error: unknown) => void
  ) {
    this.tasks = new WaveTasks(runId, packs);
    this.inputs = inputsOf(packs.flatMap((tasks) => tasks.flatMap(({ shard }) => shard.objects)));
    this.#journals = new PodJournals(objects, runId, wave);
  }

  /** Whether the cluster does nothing more for it. */
  get over(): boolean {
    return this.#jobGone || this.#finished || (this.#isGivenUp && this.tasks.open === 0);
  }

  hearJob(job: Job): void {
    const { ready = 0, active = 0, terminating = 0, succeeded = 0 } = job.status ?? {};
    const goesOn = succeeded > (this.job?.status?.succeeded ?? 0);
    this.job = job;
    if (ready >= active + terminating) this.#shortSince = undefined;
    else if (goesOn || this.#shortSince === undefined) this.#shortSince = Date.now();
    if (ready > 0) {
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
        const walked = await this.#journals.readChanged((pack, journal) => this.#hear(pack, journal));
        // A thousand journals are a request: those of very many pods are looked at less often.
        this.#pollAt = now + 1_000 * Math.max(1, Math.ceil(walked / 1_000));
      } catch (error) {
        this.#pollAt = now + 1_000;
        throw error;
      }
    }
    const isQuiet = (this.job.status?.ready ?? 0) === 0 && now - this.#newsAt > quietMs;
    const isShort = now - (this.#shortSince ?? now) > stuckMs;
    if (!(isQuiet || isShort) || now < this.#askAt) return false;
    this.#askAt = now + (isQuiet ? askAgainMs : stuckMs);
    return await this.#askWhy(now, isQuiet);
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
    const hear = (packs: readonly number[]) => this.#journals.read(packs, (pack, journal) => this.#hear(pack, journal));
    const status = job?.status;
    if ((status?.terminating ?? 0) > 0 && tasks.open > 0) await this.#noteDisruptions();
    const unsettled = (indexes: string | undefined) => parseIndexes(indexes).filter((pack) => !tasks.isSettled(pack));
    const completed = unsettled(status?.completedIndexes);
    const failed = unsettled(status?.failedIndexes);
    await hear([...completed, ...failed]);
    this.#tell(tasks.settle(completed, { detail: 'Its pod ended well, but said nothing of it.' }));
    const open = failed.filter((pack) => tasks.hasOpen(pack));
    const reasons = await this.#reasonsOf(open);
    const common = this.#hasSpoken || status?.completedIndexes ? undefined : commonReason([...reasons.values()]);
    if (common !== undefined) this.#giveUp(common);
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

  /** What befell pods that the cluster takes away. */
  async #noteDisruptions(): Promise<void> {
    try {
      for (const pod of await this.cluster.listPods(this.#podSelector(), podsAskedFor, 'Succeeded')) {
        const reason = disruptionOf(pod) && whyEnded(pod);
        if (reason !== undefined) this.#disruptions.set(pod.metadata!.name!, reason);
      }
    } catch (error) {
      // What becomes of the tasks does not depend on it.
      this.failed(error);
    }
  }

  async #hear(pack: number, journal: Journal): Promise<void> {
    this.#hasSpoken = true;
    const [replaced] = this.tasks.replacedIn(pack, journal);
    const why = replaced && (await this.#whyLost(pack, replaced));
    this.#tell(this.tasks.hear(pack, journal, why));
  }

  /** What befell the pod that had an attempt before another had it; undefined where nobody knows. */
  async #whyLost(
    pack: number,
    { pod: name, ...attempt }: AttemptName & { pod: string | undefined }
  ): Promise<Reason | undefined> {
    const noted = this.#disruptions.get(name ?? '');
    if (noted !== undefined) return noted;
    try {
      const pods = await this.cluster.listPods(`${this.#podSelector()},${indexLabel}=${pack}`, podsAskedFor);
      const pod = pods.find(({ metadata }) => metadata?.name === name);
      const reason = pod && whyEnded(pod);
      if (reason !== undefined) return reason;
      const report = await readReport(this.objects, this.runId, attempt);
      // What a pod says that was told to end, and had the time to.
      if (report?.state !== 'stopped') return undefined;
      return { exitKind: 'evicted', detail: 'Its pod was told to end, as when its node is emptied.' };
    } catch (error) {
      this.failed(error);
      return undefined;
    }
  }

  async #askWhy(now: number, isQuiet: boolean): Promise<boolean> {
    const name = this.job?.metadata?.name ?? '';
    const pods = await this.cluster.listPods(this.#podSelector(), podsAskedFor, 'Succeeded', 'Failed');
    const before = this.waiting;
    const stuck = this.#lookForStuck(pods, now);
    if (isQuiet) {
      const events = pods.length === 0 ? await this.cluster.listEventsOf(name) : [];
      this.waiting = stuck[0]?.trouble.detail ?? whyWaiting(this.job!, pods, events);
    }
    const condemned = stuck.filter(({ isCondemned }) => isCondemned);
    const placed = pods.filter(({ spec }) => spec?.nodeName !== undefined);
    const works = this.tasks.haveBegun || (this.job?.status?.ready ?? 0) > 0;
    const ofNode = condemned.filter(({ trouble }) => works || trouble.exitKind === 'node-lost');
    if (ofNode.length > 0) {
      this.#isGivenUp = true;
      for (const { pack, trouble } of ofNode) this.#tell(this.tasks.settle([pack], trouble));
    } else if (condemned.length > 0 && condemned.length === placed.length) this.#giveUp(condemned[0]!.trouble);
    return this.waiting !== before;
  }

  #lookForStuck(pods: readonly Pod[], now: number): { pack: number; trouble: Trouble; isCondemned: boolean }[] {
    const since = new Map<string, number>();
    const stuck = pods.flatMap((pod) => {
      const pack = Number(pod.metadata?.labels?.[indexLabel]);
      const trouble = whyStuck(pod, now);
      const isWaitedFor = this.tasks.hasOpen(pack) && (trouble?.exitKind === 'node-lost' || !this.tasks.hasBegun(pack));
      if (trouble === undefined || !isWaitedFor) return [];
      const name = pod.metadata!.name!;
      since.set(name, this.#stuckSince.get(name) ?? now);
      return [{ pack, trouble, isCondemned: trouble.hopeless || now - since.get(name)! > stuckMs }];
    });
    this.#stuckSince = since;
    return stuck;
  }

  /** No pod of it will ever do anything: its tasks end here, and with them the run. */
  #giveUp({ detail, exitKind }: Reason): void {
    this.#isGivenUp = true;
    this.#tell(this.tasks.settle(this.tasks.unsettled(), { detail, exitKind }, true));
    this.emit({ kind: 'unusable', runId: this.runId, detail });
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

/** The reason that all have in common; undefined where they differ, or where another wave might fare better. */
function commonReason(reasons: readonly Reason[]): Reason | undefined {
  const [first] = reasons;
  const gist = ({ exitKind, detail }: Reason) => `${exitKind} ${detail.replace(/\d+/g, '0')}`;
  if (first === undefined || ['evicted', 'node-lost'].includes(first.exitKind)) return undefined;
  return reasons.every((reason) => gist(reason) === gist(first)) ? first : undefined;
}

function createdAt(pod: Pod): number {
  return new Date(pod.metadata?.creationTimestamp ?? 0).getTime();
}
