import { setTimeout as sleep } from 'node:timers/promises';
import type { Resources } from '@labscale/schema';
import type { Logger } from 'pino';
import type { ObjectStore } from '../../objects/object-store.js';
import { OneAtATime } from '../../one-at-a-time.js';
import { ProblemError } from '../../problem-error.js';
import type { Capacity } from '../fair-share.js';
import type { AttemptName, Runner, RunnerEvent, RunOrder, TaskOrder } from '../runner.js';
import { jobName, managedBy, runLabel, secretName, waveLabel, type StoreOfPods } from './job-manifest.js';
import { JobWatch } from './job-watch.js';
import { ClusterError, pauseBefore, type Cluster, type Job } from './kubernetes-client.js';
import type { Profile } from './profile.js';
import { readPrograms } from './run-programs.js';
import { inputsOf, joinInputs, writeRunSecret, type RunCredentials, type RunInputs } from './run-secret.js';
import { WaveInHand } from './wave-in-hand.js';
import { RefusedByCluster, createJob, planWaves, putOrders, type WavePlan } from './wave-launch.js';
import { listWaves, namesOf, ordersKey, readOrders } from './wave-orders.js';

/** What a Job can have of indexes, and so of pods. */
const mostTasks = 100_000;
const tickMs = 1_000;
const longestGatherMs = 5_000;
/** How long the Jobs of a run that has ended may take to say so themselves. */
const endPatienceMs = 60_000;
const selectorOf = (labels: Record<string, string>) =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');

/** What the runner has of one run. */
interface Post {
  order: RunOrder;
  /** Tasks of the wave to come. */
  gathering: TaskOrder[];
  sealTimer: NodeJS.Timeout | undefined;
  roomTimer: NodeJS.Timeout | undefined;
  /** Attempts that were submitted, so that each is taken once. */
  known: Set<string>;
  waves: Map<number, WaveInHand>;
  /** Waves that are about to be made. */
  launching: number;
  /** When the next wave may go off while others run. */
  nextWaveAt: number;
  /** What the keys of its Secret open, and when they are to be renewed. */
  keys: { inputs: RunInputs; renewAt: number } | undefined;
  /** Where its analysis lies; undefined until its plan was read. */
  analysisFolder: string | undefined;
  /** Being taken up, let go or stopped: nothing new can begin. */
  blocked: string | undefined;
  /** Why nothing goes on. */
  trouble: string | undefined;
  readonly ended: AbortController;
}

/**
 * Runs attempts in pods: what waits together becomes one wave, a wave one Indexed Job. What a Job and the journals of its
 * pods say is told as events; whoever asks again is told the same.
 */
export class KubernetesRunner implements Runner {
  readonly #posts = new Map<string, Post>();
  readonly #turns = new OneAtATime();
  readonly #listeners: ((event: RunnerEvent) => void)[] = [];
  readonly #watch: JobWatch;
  readonly #timer: NodeJS.Timeout;
  readonly #closing = new AbortController();

  constructor(
    private readonly cluster: Cluster,
    private readonly profile: Profile,
    private readonly store: StoreOfPods,
    private readonly objects: ObjectStore,
    private readonly credentials: RunCredentials,
    private readonly logger: Logger
  ) {
    const listener = {
      changed: (job: Job) => this.#waveOf(job)?.hearJob(job),
      gone: (job: Job) => this.#waveOf(job)?.hearGone()
    };
    this.#watch = new JobWatch(cluster, selectorOf(managedBy), listener, logger);
    this.#timer = setInterval(() => this.#tick(Date.now()), tickMs).unref();
  }

  /** How large its nodes are the cluster says when a pod finds no room. */
  get largestTask(): Capacity & { gpus: number } {
    return { cpus: Infinity, memoryBytes: Infinity, gpus: this.profile.gpu.count };
  }

  onEvent(listener: (event: RunnerEvent) => void): void {
    this.#listeners.push(listener);
  }

  places(_task: Capacity): number {
    return this.profile.maxPods;
  }

  room(order: RunOrder): number {
    const post = this.#posts.get(order.runId);
    if (post === undefined) return mostTasks;
    post.order = order;
    if (post.blocked !== undefined) return 0;
    if (post.gathering.length > 0) return mostTasks - post.gathering.length;
    if (!this.#isBusy(post)) return mostTasks;
    const wait = post.nextWaveAt - Date.now();
    if (wait <= 0) return mostTasks;
    post.roomTimer ??= setTimeout(() => {
      post.roomTimer = undefined;
      this.#emit({ kind: 'changed', runId: order.runId });
    }, wait).unref();
    return 0;
  }

  submit(order: RunOrder, tasks: readonly TaskOrder[], more = false): void {
    const post = this.#postOf(order);
    for (const task of tasks) {
      if (post.known.has(keyOf(task))) continue;
      post.known.add(keyOf(task));
      post.gathering.push(task);
    }
    clearTimeout(post.sealTimer);
    if (!more || post.gathering.length >= mostTasks) this.#seal(post);
    // Those that were to follow may not come after all.
    else post.sealTimer = setTimeout(() => this.#seal(post), longestGatherMs).unref();
  }

  /** Takes all of them in hand: which of them the cluster has is known when it answers, and the others are then told gone. */
  async adopt(order: RunOrder, attempts: readonly (AttemptName & { resources: Resources })[]): Promise<AttemptName[]> {
    const post = this.#postOf(order);
    if (attempts.length > 0) {
      post.blocked = 'Looking for what the cluster has of it.';
      for (const attempt of attempts) post.known.add(keyOf(attempt));
      this.#inTurn(post, () => this.#takeUp(post, attempts));
    }
    return attempts.map(({ index, attempt }) => ({ index, attempt }));
  }

  /** A pod cannot end one of its tasks from outside: named attempts are ended where they are all that a Job has left. */
  async stop(runId: string, attempts?: readonly AttemptName[]): Promise<void> {
    const post = this.#posts.get(runId);
    if (attempts !== undefined) {
      const named = new Set(attempts.map(keyOf));
      for (const { wave, tasks } of post?.waves.values() ?? []) {
        if (tasks.open > 0 && tasks.openAttempts().every((attempt) => named.has(keyOf(attempt)))) {
          await this.#deleteJobs([jobName(runId, wave)]);
        }
      }
      return;
    }
    if (post !== undefined) this.#endPost(post);
    await this.#turns.run(runId, async () => {
      await this.#insist(runId, async () => {
        await this.#deleteJobs(await this.#jobNames(runId, undefined));
        await this.#takeKeys(runId);
      });
    });
  }

  async finish(runId: string): Promise<void> {
    const post = this.#posts.get(runId);
    if (post !== undefined) post.blocked = 'Clearing up after what it did so far.';
    await this.#turns
      .run(runId, async () => {
        if (post !== undefined) await this.#untilOver(post);
        await this.#insist(runId, async () => {
          for (const name of await this.#jobNames(runId, post)) await this.cluster.deleteJob(name);
          await this.#takeKeys(runId);
        });
      })
      .finally(() => {
        if (post !== undefined) this.#endPost(post);
      });
    this.#emit({ kind: 'changed', runId });
  }

  waitingFor({ runId }: RunOrder): string | undefined {
    const post = this.#posts.get(runId);
    if (post === undefined) return undefined;
    if (this.#watch.trouble !== undefined) return `The cluster does not answer: ${oneSentence(this.#watch.trouble)}`;
    const waiting = [...post.waves.values()].find((wave) => wave.waiting !== undefined)?.waiting;
    return (
      post.trouble ?? post.blocked ?? waiting ?? (this.#isBusy(post) ? 'Waiting for the pods to start.' : undefined)
    );
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#timer);
    this.#watch.stop();
    for (const post of this.#posts.values()) this.#endPost(post);
    await this.#turns.settled();
  }

  #postOf(order: RunOrder): Post {
    let post = this.#posts.get(order.runId);
    if (post === undefined) {
      post = {
        ...{ order, gathering: [], sealTimer: undefined, roomTimer: undefined, known: new Set(), waves: new Map() },
        ...{
          launching: 0,
          nextWaveAt: 0,
          keys: undefined,
          analysisFolder: undefined,
          blocked: undefined,
          trouble: undefined
        },
        ended: new AbortController()
      };
      this.#posts.set(order.runId, post);
    }
    post.order = order;
    return post;
  }

  #endPost(post: Post): void {
    post.ended.abort();
    post.gathering = [];
    clearTimeout(post.sealTimer);
    clearTimeout(post.roomTimer);
    if (this.#posts.get(post.order.runId) === post) this.#posts.delete(post.order.runId);
    if (this.#posts.size === 0) this.#watch.stop();
  }

  async #jobNames(runId: string, post: Post | undefined): Promise<string[]> {
    if (post === undefined || post.waves.size === 0) {
      // What an earlier server left is known to the cluster only.
      const { jobs } = await this.cluster.listJobs(selectorOf({ ...managedBy, [runLabel]: runId }));
      return jobs.map((job) => job.metadata?.name ?? '');
    }
    const watched = this.#watch.labelled(runLabel, runId).map((job) => job.metadata?.name ?? '');
    return [...new Set([...[...post.waves.keys()].map((wave) => jobName(runId, wave)), ...watched])];
  }

  #isBusy(post: Post): boolean {
    return post.launching > 0 || [...post.waves.values()].some(({ tasks }) => tasks.open > 0);
  }

  #seal(post: Post): void {
    const tasks = post.gathering;
    if (tasks.length === 0) return;
    post.gathering = [];
    post.launching += 1;
    this.#inTurn(post, async () => {
      try {
        await this.#launch(post, tasks);
      } finally {
        post.launching -= 1;
      }
    });
  }

  #inTurn(post: Post, act: () => Promise<void>): void {
    const { runId } = post.order;
    void this.#turns
      .run(runId, async () => {
        if (!post.ended.signal.aborted) await act();
      })
      .catch((error: unknown) => {
        if (!post.ended.signal.aborted) this.logger.error({ runId, err: error }, 'a run on the cluster cannot go on');
      });
  }

  async #launch(post: Post, tasks: readonly TaskOrder[]): Promise<void> {
    const { runId } = post.order;
    void this.#watch.start();
    let plans: WavePlan[] = [];
    let next = 1;
    const isPlanned = await this.#persist(post, async () => {
      const { programOf, analysisFolder } = await readPrograms(this.objects, post.order, this.profile);
      post.analysisFolder = analysisFolder;
      plans = planWaves(post.order, tasks, programOf, this.profile);
      next = Math.max(0, ...post.waves.keys(), ...(await listWaves(this.objects, runId))) + 1;
    });
    if (!isPlanned) return;
    for (const plan of plans) {
      const wave = next++;
      const inHand = this.#addWave(post, wave, plan.packs);
      // The first wave waits for none, the next ones ever longer: a task that keeps failing does not fill the cluster with Jobs.
      post.nextWaveAt = Date.now() + 1_000 * Math.min(60, 2 ** wave);
      const isMade = await this.#persist(post, async () => {
        await Promise.all([putOrders(this.objects, runId, wave, plan), this.#ensureKeys(post)]);
        const job = await createJob(this.cluster, this.profile, this.store, runId, wave, plan);
        this.#watch.learn(job);
      });
      if (!isMade) return;
      const { packs } = inHand.tasks;
      this.logger.info({ runId, wave, tasks: inHand.tasks.open, pods: packs }, 'a Job was made for a run');
    }
  }

  #addWave(post: Post, wave: number, packs: readonly (readonly TaskOrder[])[]): WaveInHand {
    const { runId } = post.order;
    const inHand = new WaveInHand(
      ...([runId, wave, packs, this.cluster, this.objects] as const),
      (event) => this.#hearWave(post, event),
      (error) =>
        this.logger.warn({ runId, wave, err: error }, 'a wave of a run could not be looked at; it is tried again')
    );
    post.waves.set(wave, inHand);
    return inHand;
  }

  /** Tries until it is done or the run is over; false where it is never to be done. */
  async #persist(post: Post, act: () => Promise<void>): Promise<boolean> {
    const { runId } = post.order;
    for (let tries = 0; !post.ended.signal.aborted; tries++) {
      try {
        await act();
        if (post.trouble !== undefined) {
          post.trouble = undefined;
          this.#emit({ kind: 'changed', runId });
        }
        return true;
      } catch (error) {
        if (post.ended.signal.aborted) return false;
        this.logger.warn({ runId, err: error }, 'the cluster or the store could not do what a run needs');
        const detail = inWords(error);
        const isFinal =
          error instanceof RefusedByCluster ||
          (error instanceof ClusterError && !error.mayPass) ||
          isFinalProblem(error);
        if (isFinal) {
          this.#emit({ kind: 'unusable', runId, detail });
          return false;
        }
        if (post.trouble !== detail) {
          post.trouble = detail;
          this.#emit({ kind: 'changed', runId });
        }
        await pauseBefore(tries, post.ended.signal);
      }
    }
    return false;
  }

  async #insist(runId: string, act: () => Promise<void>): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        return await act();
      } catch (error) {
        if (this.#closing.signal.aborted) throw error;
        if (error instanceof ClusterError && !error.mayPass) throw error;
        this.logger.warn(
          { runId, err: error },
          'what a run has in the cluster could not be removed; it is tried again'
        );
        await pauseBefore(tries, this.#closing.signal);
        if (this.#closing.signal.aborted) throw error;
      }
    }
  }

  /** The keys of a run open what its waves read; written when they do not yet, or have been out for long. */
  async #ensureKeys(post: Post, packs: readonly (readonly TaskOrder[])[] = []): Promise<void> {
    post.analysisFolder ??= (await readPrograms(this.objects, post.order, this.profile)).analysisFolder;
    const inputs = joinInputs([
      { prefixes: [{ bucket: undefined, prefix: post.analysisFolder }] },
      ...[...post.waves.values()].map((wave) => wave.inputs),
      inputsOf(packs.flatMap((tasks) => tasks.flatMap(({ shard }) => shard.objects)))
    ]);
    if (post.keys !== undefined && JSON.stringify(post.keys.inputs) === JSON.stringify(inputs)) return;
    await this.#writeKeys(post, inputs);
  }

  async #writeKeys(post: Post, inputs: RunInputs): Promise<void> {
    const inMs = await writeRunSecret(this.cluster, this.credentials, post.order.runId, inputs);
    post.keys = { inputs, renewAt: Date.now() + inMs };
  }

  async #takeKeys(runId: string): Promise<void> {
    await this.credentials.revoke(runId);
    await this.cluster.deleteSecret(secretName(runId));
  }

  async #deleteJobs(names: readonly string[]): Promise<void> {
    for (const name of names) await this.cluster.deleteJob(name);
    const deadline = Date.now() + endPatienceMs;
    for (const name of names) {
      // Deleted in the foreground a Job is there until its last pod has gone; one on a lost node never goes.
      while ((await this.cluster.findJob(name)) !== undefined) {
        if (this.#closing.signal.aborted || Date.now() > deadline) return;
        await sleep(300);
      }
    }
  }

  async #untilOver(post: Post): Promise<void> {
    const deadline = Date.now() + endPatienceMs;
    const made = () => [...post.waves.values()].filter(({ job }) => job !== undefined);
    while (made().some(({ over }) => !over) && Date.now() < deadline && !this.#closing.signal.aborted) {
      if (post.ended.signal.aborted || this.#isCutShort(post)) return;
      await sleep(100);
    }
  }

  /** Its run has ended although tasks of it have not: nobody waits for these. */
  #isCutShort(post: Post): boolean {
    return [...post.waves.values()].some(({ tasks, over }) => !over && tasks.open > 0);
  }

  async #takeUp(post: Post, attempts: readonly AttemptName[]): Promise<void> {
    const { runId } = post.order;
    let missing = new Map(attempts.map((attempt) => [attempt.index, attempt]));
    await this.#persist(post, async () => {
      await this.#watch.start();
      missing = new Map(attempts.map((attempt) => [attempt.index, attempt]));
      const waves = await listWaves(this.objects, runId);
      // The later wave has the later attempt of a task.
      for (const wave of waves.toReversed()) {
        if (missing.size === 0 || post.ended.signal.aborted) break;
        const bytes = await this.objects.get(ordersKey(runId, wave));
        const packs = bytes === undefined ? [] : readOrders(bytes);
        let job = this.#watch.job(jobName(runId, wave));
        if (job === undefined && wave === waves.at(-1) && isAllOf(packs, missing)) {
          job = await this.#makeAgain(post, wave, packs);
        }
        if (job === undefined) continue;
        const inHand = this.#addWave(post, wave, packs);
        for (const { index } of inHand.tasks.adopt([...missing.values()])) missing.delete(index);
        inHand.hearJob(job);
      }
      if (post.waves.size > 0) await this.#ensureKeys(post);
    });
    post.blocked = undefined;
    if (post.ended.signal.aborted) return;
    this.logger.info(
      { runId, waves: post.waves.size, missing: missing.size },
      'looked for what the cluster has of a run'
    );
    if (missing.size > 0) {
      const detail = 'The cluster had nothing of it when this server came up.';
      this.#emit({ kind: 'gone', runId, attempts: [...missing.values()], detail });
    }
    this.#emit({ kind: 'changed', runId });
  }

  /** An earlier server wrote these orders and came no further. */
  async #makeAgain(post: Post, wave: number, packs: TaskOrder[][]): Promise<Job | undefined> {
    const first = packs[0]?.[0];
    if (first === undefined) return undefined;
    const { programOf } = await readPrograms(this.objects, post.order, this.profile);
    const plan: WavePlan = { packs, resources: first.resources, program: programOf(first) };
    await this.#ensureKeys(post, packs);
    const job = await createJob(this.cluster, this.profile, this.store, post.order.runId, wave, plan);
    this.#watch.learn(job);
    return job;
  }

  #hearWave(post: Post, event: RunnerEvent): void {
    if (post.ended.signal.aborted) return;
    this.#emit(event);
  }

  #waveOf(job: Job): WaveInHand | undefined {
    const labels = job.metadata?.labels ?? {};
    return this.#posts.get(labels[runLabel] ?? '')?.waves.get(Number(labels[waveLabel]));
  }

  #tick(now: number): void {
    for (const post of this.#posts.values()) {
      const { runId } = post.order;
      const failed = (error: unknown) =>
        this.logger.warn({ runId, err: error }, 'a run on the cluster could not be looked at');
      for (const wave of post.waves.values()) {
        wave.tick(now).then((changed) => {
          if (changed) this.#emit({ kind: 'changed', runId });
        }, failed);
      }
      if (post.keys !== undefined && now >= post.keys.renewAt && this.#isBusy(post)) {
        const { inputs } = post.keys;
        post.keys.renewAt = now + 30_000;
        this.#writeKeys(post, inputs).catch(failed);
      }
    }
  }

  #emit(event: RunnerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** Whether orders are of attempts that are all still waited for. */
function isAllOf(packs: readonly (readonly TaskOrder[])[], attempts: ReadonlyMap<number, AttemptName>): boolean {
  const named = packs.flatMap(namesOf);
  return named.length > 0 && named.every(({ index, attempt }) => attempts.get(index)?.attempt === attempt);
}

function isFinalProblem(error: unknown): boolean {
  return error instanceof ProblemError && error.status < 500;
}

function inWords(error: unknown): string {
  if (error instanceof RefusedByCluster) return error.message;
  if (error instanceof ProblemError) return error.detail;
  if (error instanceof ClusterError) {
    return error.status === 0
      ? `The cluster does not answer: ${oneSentence(error.message)}`
      : `The cluster does not take it: ${oneSentence(error.message)}`;
  }
  return oneSentence((error as Error).message);
}

function oneSentence(text: string): string {
  return `${text.trim().replace(/\.$/, '')}.`;
}

function keyOf({ index, attempt }: AttemptName): string {
  return `${index}/${attempt}`;
}
