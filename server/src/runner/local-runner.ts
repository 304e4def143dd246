import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Resources } from '@labscale/schema';
import type { Logger } from 'pino';
import { fits, nextToServe, placesFor, plus, type Capacity } from './fair-share.js';
import { endMarked, findMarked, send, startTicksOf } from './processes.js';
import type { AttemptName, Runner, RunnerEvent, RunOrder, TaskOrder } from './runner.js';
import { WorkerProcess, type WorkerMessage, type WorkerPlace, type WorkerRecord } from './worker-process.js';

const nothing: Capacity = { cpus: 0, memoryBytes: 0 };
/** Seconds of work that are queued ahead: longer than a commit and the loop's pause, short enough to share fairly. */
const aheadSeconds = 0.25;
const mostAhead = 64;
const startsAllowed = 3;
const lookEveryMs = 1_000;
/** Seconds past its time limit after which an attempt's worker is held to be stuck: it should have ended it. */
const overdueSeconds = 30;

/** What the runner has of one run. */
interface Post {
  order: RunOrder;
  /** Tasks that wait for a free place. */
  queue: TaskOrder[];
  /** Tasks that the worker has, in the order in which it starts them. */
  sent: Map<string, TaskOrder>;
  /** Attempts that the worker of an earlier server still works at. */
  adopted: Map<string, AttemptName & { resources: Resources }>;
  /** When attempts started, in milliseconds. */
  startedAt: Map<string, number>;
  worker: WorkerProcess | undefined;
  failedStarts: number;
  servedAt: number;
}

/** Runs attempts in processes of this machine: one worker process a run, all runs sharing its CPUs and memory. */
export class LocalRunner implements Runner {
  readonly #posts = new Map<string, Post>();
  readonly #listeners: ((event: RunnerEvent) => void)[] = [];
  /** Ids of the workers that this process started and has not seen go. */
  readonly #own = new Set<string>();
  readonly #look: NodeJS.Timeout;
  #served = 0;
  #closed = false;

  constructor(
    private readonly capacity: Capacity,
    private readonly place: WorkerPlace,
    private readonly logger: Logger
  ) {
    this.#look = setInterval(() => {
      this.#endOverdue(Date.now());
      void this.#lookAfterAdopted();
    }, lookEveryMs).unref();
    this.#sweepEarlierWorkers();
  }

  onEvent(listener: (event: RunnerEvent) => void): void {
    this.#listeners.push(listener);
  }

  get largestTask(): Capacity & { gpus: number } {
    return { ...this.capacity, gpus: 0 };
  }

  places(task: Capacity): number {
    return placesFor(task, this.capacity);
  }

  room(order: RunOrder): number {
    const post = this.#posts.get(order.runId);
    if (post) post.order = order;
    const places = post?.worker?.slots ?? this.#slotsFor(order);
    const held = post === undefined ? 0 : post.queue.length + post.sent.size;
    return Math.max(0, places + Math.max(places, ahead(order, places)) - held);
  }

  submit(order: RunOrder, tasks: readonly TaskOrder[]): void {
    const post = this.#postOf(order);
    const known = new Set([...post.queue.map(keyOf), ...post.sent.keys(), ...post.adopted.keys()]);
    post.queue.push(...tasks.filter((task) => !known.has(keyOf(task))));
    this.#pump();
  }

  async adopt(order: RunOrder, attempts: readonly (AttemptName & { resources: Resources })[]): Promise<AttemptName[]> {
    const { runId } = order;
    const taken: (AttemptName & { resources: Resources })[] = [];
    if (this.#livingWorkers(runId).length > 0) {
      const marked = new Set((await findMarked(runId)).map(keyOf));
      taken.push(...attempts.filter((attempt) => marked.has(keyOf(attempt))));
    }
    const kept = new Set(taken.map(keyOf));
    await this.#endLeftovers(runId, (attempt) => !kept.has(keyOf(attempt)));
    if (taken.length > 0) {
      const post = this.#postOf(order);
      for (const attempt of taken) {
        post.adopted.set(keyOf(attempt), attempt);
        // Its first start is not known here: a second time limit is what a stuck one costs at most.
        post.startedAt.set(keyOf(attempt), Date.now());
      }
    }
    return taken.map(({ index, attempt }) => ({ index, attempt }));
  }

  async stop(runId: string, attempts?: readonly AttemptName[]): Promise<void> {
    const post = this.#posts.get(runId);
    const meant = attempts && new Set(attempts.map(keyOf));
    const isMeant = (attempt: AttemptName) => meant === undefined || meant.has(keyOf(attempt));
    if (post !== undefined) {
      post.queue = post.queue.filter((task) => !isMeant(task));
      const asked = [...post.sent.values()].filter(isMeant);
      for (const task of asked) post.worker?.stop(task);
      // The worker ends a tree well and says how it went; where it does not answer in time, its tree is killed below.
      await waitUntil(() => !asked.some((task) => post.sent.has(keyOf(task))), 2_000);
      for (const task of asked) post.sent.delete(keyOf(task));
    }
    if (meant === undefined) {
      this.#posts.delete(runId);
      post?.worker?.finish();
      const living = this.#livingWorkers(runId);
      // On SIGTERM a worker ends all that it has started; one of an earlier server hears nothing else.
      for (const { pid } of living) if (post?.worker?.pid !== pid) send(pid, 'SIGTERM');
      await waitUntil(() => this.#livingWorkers(runId).length === 0, 2_000);
      for (const { pid } of this.#livingWorkers(runId)) send(-pid, 'SIGKILL');
    }
    await this.#endLeftovers(runId, isMeant);
    if (meant === undefined) await this.#removeScratch(runId);
    this.#pump();
  }

  async finish(runId: string): Promise<void> {
    const post = this.#posts.get(runId);
    if (post !== undefined && (post.queue.length > 0 || post.sent.size > 0 || post.adopted.size > 0)) return;
    this.#posts.delete(runId);
    if (post?.worker) post.worker.finish();
    else await this.#removeScratch(runId);
  }

  waitingFor(order: RunOrder): string | undefined {
    const post = this.#posts.get(order.runId);
    if (post === undefined || post.sent.size + post.adopted.size > 0) {
      return post?.worker?.ready === false ? 'Starting the kernel.' : undefined;
    }
    const used = this.#used();
    const next = post.queue[0]?.resources ?? order.resources;
    if (fits(next, used, this.capacity)) return undefined;
    const others = [...this.#posts.values()].filter((other) => other !== post && usedBy(other).cpus > 0);
    const names = others.map((other) => `"${other.order.name}"`).join(', ');
    if (used.cpus + next.cpus > this.capacity.cpus) {
      return `Waiting for ${next.cpus === 1 ? 'a CPU' : `${next.cpus} CPUs`}: ${used.cpus} of ${this.capacity.cpus} are busy with ${names}.`;
    }
    return `Waiting for memory: a task asks for ${gibibytes(next.memoryBytes)}, and ${gibibytes(used.memoryBytes)} of ${gibibytes(this.capacity.memoryBytes)} are set aside for ${names}.`;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#look);
    for (const post of this.#posts.values()) post.worker?.letGo();
    this.#posts.clear();
  }

  #postOf(order: RunOrder): Post {
    let post = this.#posts.get(order.runId);
    if (post === undefined) {
      post = {
        order,
        queue: [],
        sent: new Map(),
        adopted: new Map(),
        startedAt: new Map(),
        worker: undefined,
        failedStarts: 0,
        servedAt: 0
      };
      this.#posts.set(order.runId, post);
    }
    post.order = order;
    return post;
  }

  /** Gives free places to waiting tasks until there is none of one or the other. */
  #pump(): void {
    if (this.#closed) return;
    for (;;) {
      const contenders = [...this.#posts.values()].flatMap((post) => {
        const next = post.queue[0];
        const busy = post.worker !== undefined && post.sent.size >= post.worker.slots;
        return next === undefined || busy
          ? []
          : [{ post, used: usedBy(post), next: next.resources, servedAt: post.servedAt }];
      });
      const served = nextToServe(contenders, this.capacity, this.#used());
      if (served === undefined) {
        if (contenders.length === 0) this.#sendAhead();
        return;
      }
      this.#send(served.post);
    }
  }

  /** While nobody waits for a place, short tasks go to the worker ahead of time: it never waits for this process. */
  #sendAhead(): void {
    for (const post of this.#posts.values()) {
      const { worker, order } = post;
      if (worker === undefined || order.secondsPerTask === null || order.secondsPerTask > 1) continue;
      const most = worker.slots + ahead(order, worker.slots);
      while (post.queue.length > 0 && post.sent.size >= worker.slots && post.sent.size < most) this.#send(post);
    }
  }

  #send(post: Post): void {
    const task = post.queue.shift();
    if (task === undefined) return;
    post.servedAt = ++this.#served;
    post.worker ??= this.#start(post);
    post.sent.set(keyOf(task), task);
    post.worker.run(task);
  }

  #start(post: Post): WorkerProcess {
    const { runId, interpreter } = post.order;
    const workerId = `worker-${randomBytes(8).toString('hex')}`;
    mkdirSync(join(this.place.dataFolder, 'scratch'), { recursive: true });
    const worker: WorkerProcess = new WorkerProcess(
      this.place,
      runId,
      workerId,
      this.#slotsFor(post.order),
      interpreter,
      {
        message: (message) => this.#hear(post, workerId, message),
        gone: (detail) => void this.#workerGone(post, worker, detail),
        nonsense: (line) =>
          this.logger.warn({ runId, workerId, line: line.slice(0, 500) }, 'a worker said what is not of the protocol')
      }
    );
    this.#own.add(workerId);
    this.logger.info({ runId, workerId, slots: worker.slots }, 'worker started');
    return worker;
  }

  #hear(post: Post, workerId: string, message: WorkerMessage): void {
    const { runId } = post.order;
    if (message.event === 'ready') {
      post.failedStarts = 0;
      return;
    }
    const { index, attempt } = message;
    if (message.event === 'started') {
      post.startedAt.set(keyOf(message), Date.now());
      this.#emit({ kind: 'started', runId, index, attempt, at: message.at, workerId });
    } else if (message.event === 'progress')
      this.#emit({ kind: 'progress', runId, index, attempt, progress: message.progress });
    else if (message.event === 'publishing') post.startedAt.delete(keyOf(message));
    else {
      post.startedAt.delete(keyOf(message));
      if (!post.sent.delete(keyOf(message))) return;
      this.#pump();
      this.#emit({ kind: 'ended', runId, index, attempt, report: message.report });
    }
  }

  async #workerGone(post: Post, worker: WorkerProcess, detail: string): Promise<void> {
    const { runId } = post.order;
    this.logger.info({ runId, workerId: worker.workerId, detail }, 'worker gone');
    this.#own.delete(worker.workerId);
    if (post.worker === worker) post.worker = undefined;
    const attempts = [...post.sent.values()].map(({ index, attempt }) => ({ index, attempt }));
    for (const key of post.sent.keys()) post.startedAt.delete(key);
    post.sent.clear();
    if (attempts.length > 0) {
      const had = new Set(attempts.map(keyOf));
      await endMarked(runId, (attempt) => had.has(keyOf(attempt)));
    }
    const neverStarted = worker.pid === undefined;
    if (!worker.ready && (neverStarted || ++post.failedStarts >= startsAllowed)) {
      attempts.push(...post.queue.map(({ index, attempt }) => ({ index, attempt })));
      this.#posts.delete(runId);
      this.#emit({ kind: 'unusable', runId, detail });
    }
    if (attempts.length > 0) this.#emit({ kind: 'gone', runId, attempts, detail });
    if (!this.#posts.has(runId)) await this.#removeScratch(runId);
    this.#pump();
  }

  async #lookAfterAdopted(): Promise<void> {
    for (const post of this.#posts.values()) {
      if (post.adopted.size === 0) continue;
      const { runId } = post.order;
      const marked = new Set((await findMarked(runId)).map(keyOf));
      const attempts = [...post.adopted.values()].filter((attempt) => !marked.has(keyOf(attempt)));
      for (const attempt of attempts) post.adopted.delete(keyOf(attempt));
      if (attempts.length === 0) continue;
      this.#emit({ kind: 'gone', runId, attempts, detail: 'The worker of the server before this one is gone.' });
      this.#pump();
    }
  }

  /** A worker ends what is over its time; one that does not is stuck, and is ended with all it has. */
  #endOverdue(now: number): void {
    for (const post of this.#posts.values()) {
      const { runId } = post.order;
      const isOverdue = (task: AttemptName & { resources: Resources }) => {
        const startedAt = post.startedAt.get(keyOf(task));
        return startedAt !== undefined && now - startedAt > (task.resources.timeLimitSeconds + overdueSeconds) * 1_000;
      };
      const pid = post.worker?.pid;
      if (pid !== undefined && [...post.sent.values()].some(isOverdue)) {
        this.logger.warn({ runId, workerId: post.worker?.workerId }, 'a worker is stuck and is ended');
        send(-pid, 'SIGKILL');
      }
      const stuck = new Set([...post.adopted.values()].filter(isOverdue).map(keyOf));
      if (stuck.size > 0) void this.#endLeftovers(runId, (attempt) => stuck.has(keyOf(attempt)));
    }
  }

  async #endLeftovers(runId: string, isMeant: (attempt: AttemptName) => boolean): Promise<void> {
    if (!(await endMarked(runId, isMeant))) {
      this.logger.error({ runId }, 'processes of a run could not be ended');
    }
  }

  /** Removes the scratch folder of a run as soon as no worker has it any more. */
  async #removeScratch(runId: string): Promise<void> {
    if (this.#closed || this.#posts.has(runId)) return;
    if (this.#livingWorkers(runId).length > 0) {
      setTimeout(() => void this.#removeScratch(runId), lookEveryMs).unref();
      return;
    }
    await rm(join(this.place.dataFolder, 'scratch', runId), { recursive: true, force: true, maxRetries: 3 });
  }

  /** Removes what workers of earlier servers leave, also those whose run had ended: nobody else asks for them. */
  #sweepEarlierWorkers(): void {
    if (this.#closed || this.#livingWorkers().every(({ workerId }) => this.#own.has(workerId))) return;
    setTimeout(() => this.#sweepEarlierWorkers(), lookEveryMs).unref();
  }

  /** Workers on record that live, those of earlier servers included; what dead ones left is removed on the way. */
  #livingWorkers(runId?: string): (WorkerRecord & { workerId: string })[] {
    const folder = join(this.place.dataFolder, 'workers');
    const living: (WorkerRecord & { workerId: string })[] = [];
    const names = existsSync(folder) ? readdirSync(folder) : [];
    for (const workerId of new Set(names.map((name) => parse(name).name))) {
      let record: WorkerRecord | undefined;
      try {
        record = JSON.parse(readFileSync(join(folder, `${workerId}.json`), 'utf8')) as WorkerRecord;
      } catch {
        // It has removed its record at its end; its log may still be there.
      }
      if (record !== undefined && startTicksOf(record.pid) === record.startTicks) {
        if (runId === undefined || record.runId === runId) living.push({ ...record, workerId });
      } else if (!this.#own.has(workerId)) {
        for (const extension of ['json', 'log']) rmSync(join(folder, `${workerId}.${extension}`), { force: true });
      }
    }
    return living;
  }

  #slotsFor(order: RunOrder): number {
    return Math.max(1, Math.min(placesFor(order.resources, this.capacity), order.tasks));
  }

  #used(): Capacity {
    return [...this.#posts.values()].map(usedBy).reduce(plus, nothing);
  }

  #emit(event: RunnerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** What the tasks of a run take that its worker works at now, without those that it holds for later. */
function usedBy(post: Post): Capacity {
  let used = nothing;
  let places = post.worker?.slots ?? 0;
  for (const { resources } of post.sent.values()) if (places-- > 0) used = plus(used, resources);
  for (const { resources } of post.adopted.values()) used = plus(used, resources);
  return used;
}

function ahead(order: RunOrder, places: number): number {
  if (order.secondsPerTask === null) return places;
  return places * Math.min(mostAhead, Math.ceil(aheadSeconds / Math.max(0.001, order.secondsPerTask)));
}

function keyOf({ index, attempt }: AttemptName): string {
  return `${index}/${attempt}`;
}

async function waitUntil(holds: () => boolean, patienceMs: number): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!holds() && Date.now() < deadline) await sleep(20);
}

function gibibytes(bytes: number): string {
  return `${(bytes / 1_073_741_824).toFixed(1)} GiB`;
}
