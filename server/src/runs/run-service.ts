import type { Attempt, Operations, Promotion, Run, Task, TaskCounts } from '@labscale/schema';
import { taskStateCodes } from '@labscale/schema';
import type { EventLog } from '../events/event-log.js';
import type { User } from '../http/identify.js';
import type { Database, Writing } from '../metadata/database.js';
import { newId } from '../metadata/ids.js';
import type { Tables } from '../metadata/tables.js';
import { notFound } from '../problem-error.js';
import type { Runner } from '../runner/runner.js';
import type { DerivativeRepository } from './derivative-repository.js';
import type { FaultPoint } from './fault-point.js';
import { emptyCounts } from './live-run.js';
import { TrialChoice } from './plan.js';
import type { RunLogs } from './run-logs.js';
import { toRun } from './run-noun.js';
import type { RunEnvironment } from './run-orders.js';
import { planEmpty, type Promoted, type RunPlanner } from './run-planner.js';
import type { RunRepository } from './run-repository.js';
import type { RunSteering } from './run-steering.js';
import type { RunWrites } from './run-writes.js';
import type { RunsInHand } from './runs-in-hand.js';
import type { TaskRepository } from './task-repository.js';

type Answer<K extends keyof Operations> = Operations[K]['result'];
type Query<K extends keyof Operations> = Operations[K]['query'];

/** What people ask of runs. */
export class RunService {
  constructor(
    private readonly database: Database,
    private readonly runs: RunRepository,
    private readonly tasks: TaskRepository,
    private readonly derivatives: DerivativeRepository,
    private readonly planner: RunPlanner,
    private readonly writes: RunWrites,
    private readonly hands: RunsInHand,
    private readonly steering: RunSteering,
    private readonly logs: RunLogs,
    private readonly runner: Runner,
    private readonly events: EventLog,
    private readonly fault: FaultPoint
  ) {}

  async plan(user: User, promotion: Promotion): Promise<Answer<'createPlan'>> {
    return await this.planner.plan(user, promotion);
  }

  /**
   * Writes the intent (run, sets, all tasks, and by `remember` the answer to this idempotency key) in one transaction,
   * then starts: a crash leaves all of it or nothing.
   */
  async create(
    user: User,
    body: Operations['createRun']['body'],
    remember: (writing: Writing, answer: Run) => Promise<void>
  ): Promise<Run> {
    const promoted = await this.planner.check(user, body.promotion, 'body/promotion');
    this.fault('before-intent');
    const run = await this.database.transaction().execute(async (writing) => {
      const runId = await this.#insert(writing, promoted, body.name);
      const row = await this.runs.find(runId, writing);
      const answer = toRun(row!, undefined, this.runner);
      await remember(writing, answer);
      return answer;
    });
    this.fault('after-intent');
    await this.steering.begin(run.id);
    return run;
  }

  async #insert(writing: Writing, promoted: Promoted, name: string | undefined): Promise<string> {
    const { owner, promotion, analysis, dataset, sets, environment } = promoted;
    const id = newId('run');
    const now = new Date().toISOString();
    const { interpreter, image, packages } = environment;
    const kept: RunEnvironment = { interpreter, packages, ...(image === undefined ? {} : { image }) };
    await this.writes.insertRun(
      writing,
      {
        id,
        owner,
        name: name ?? `${analysis.name} on ${dataset.name}`.slice(0, 200),
        state: 'starting',
        analysisId: analysis.id,
        analysisVersionId: analysis.versionId,
        datasetId: dataset.id,
        datasetVersionId: dataset.versionId,
        filter: promotion.filter ?? '',
        trialCount: promotion.trial?.count ?? null,
        trialReleased: 0,
        resourcesJson: JSON.stringify(promoted.resources),
        shardsPerPod: promotion.shardsPerPod ?? null,
        environmentJson: JSON.stringify(kept),
        environmentDigest: environment.digest,
        taskCount: 0,
        countsJson: JSON.stringify(emptyCounts()),
        publishPartial: 0,
        garbage: 1,
        failure: null,
        derivativesVersionId: null,
        createdAt: now,
        startedAt: null,
        finishedAt: null
      },
      sets.map(({ parameterSetId, parameterSetVersionId }, position) => ({
        ...{ runId: id, position, owner, parameterSetId, parameterSetVersionId }
      }))
    );
    const trial = promotion.trial && new TrialChoice(promotion.trial.count, promotion.trial.order);
    const counts: TaskCounts = emptyCounts();
    let taskCount = 0;
    for await (const page of this.planner.tasks(writing, promoted)) {
      const rows = page.map((task): Tables['task'] => {
        const state = task.reusedFrom ? 'reused' : trial ? 'held' : 'waiting';
        counts[state] += 1;
        if (trial && !task.reusedFrom) trial.consider(task);
        return {
          runId: id,
          index: task.index,
          owner,
          shardIndex: task.shard.index,
          shardKey: task.shard.key,
          parameterSetVersionId: task.set.parameterSetVersionId,
          state,
          derivativeKey: task.derivativeKey,
          reusedRunId: task.reusedFrom?.runId ?? null,
          reusedTaskIndex: task.reusedFrom?.taskIndex ?? null,
          attempts: 0,
          failures: 0,
          losses: 0,
          resourcesJson: null,
          exitKind: null,
          reason: null,
          failureGroup: null,
          failureText: null,
          notBefore: null,
          startedAt: null,
          finishedAt: null,
          durationSeconds: null,
          cpuSeconds: null,
          peakMemoryBytes: null,
          metricsJson: task.reusedFrom?.metricsJson ?? '{}'
        };
      });
      await this.writes.insertTasks(writing, rows);
      taskCount += rows.length;
    }
    if (taskCount === 0) throw planEmpty(promotion, 'body/promotion');
    if (trial) {
      const moved = await this.writes.moveTasks(writing, id, { indexes: trial.indexes() }, 'waiting');
      counts.held -= moved;
      counts.waiting += moved;
    }
    await this.writes.setRun(writing, id, {
      taskCount,
      countsJson: JSON.stringify(counts),
      trialReleased: Number(trial !== undefined && counts.held === 0)
    });
    return id;
  }

  async get(runId: string): Promise<Run> {
    const row = await this.runs.find(runId);
    if (row === undefined) throw notFound(runId);
    return toRun(row, this.hands.live(runId), this.runner);
  }

  async list(user: User, query: Query<'listRuns'>): Promise<Answer<'listRuns'>> {
    const { rows, nextCursor, total } = await this.runs.list(user.name, { ...query, limit: query.limit ?? 50 });
    return { items: rows.map((row) => toRun(row, this.hands.live(row.id), this.runner)), nextCursor, total };
  }

  async stop(runId: string): Promise<Run> {
    await this.steering.stop(runId);
    return await this.get(runId);
  }

  async release(runId: string): Promise<Run> {
    await this.steering.release(runId);
    return await this.get(runId);
  }

  async retry(runId: string, body: Operations['retryRun']['body']): Promise<Run> {
    if (body.resources) {
      const { resources } = await this.get(runId);
      this.planner.checkResources({ ...resources, ...body.resources }, 'body/resources');
    }
    await this.steering.retry(runId, body);
    return await this.get(runId);
  }

  async publish(runId: string): Promise<Run> {
    await this.steering.publish(runId);
    return await this.get(runId);
  }

  async listTasks(runId: string, query: Query<'listTasks'>): Promise<Answer<'listTasks'>> {
    const page = await this.tasks.list(runId, { ...query, limit: query.limit ?? 50 });
    return { ...page, items: page.items.map((task) => this.#asItIs(task)) };
  }

  async getTask(runId: string, index: number): Promise<Task> {
    const task = await this.tasks.find(runId, index);
    if (task === undefined) throw notFound(`${runId}/tasks/${index}`);
    return this.#asItIs(task);
  }

  async getTaskStates(runId: string): Promise<Answer<'getTaskStates'>> {
    // The id first: an event that comes while the states are read is then heard again, never missed.
    const eventId = this.events.lastId;
    const states =
      this.hands.live(runId)?.states ?? (await this.runs.loadStates(runId, (await this.get(runId)).taskCount));
    return { runId, states: states.toText(), codes: { ...taskStateCodes }, eventId };
  }

  async getTaskColumns(runId: string): Promise<Answer<'getTaskColumns'>> {
    return await this.tasks.columns(runId);
  }

  async listAttempts(runId: string, index: number): Promise<{ items: Attempt[] }> {
    await this.getTask(runId, index);
    return { items: await this.tasks.listAttempts(runId, index) };
  }

  async getLog(
    { runId, index, attempt }: Operations['getLog']['params'],
    query: Query<'getLog'>
  ): Promise<Answer<'getLog'>> {
    const state = await this.tasks.attemptState(runId, index, attempt);
    if (state === undefined) throw notFound(`${runId}/tasks/${index}/attempts/${attempt}`);
    const of = { runId, taskIndex: index, attempt, ended: state !== 'running' };
    return await this.logs.read(of, query.offset, query.limit ?? 65_536);
  }

  async searchLogs(runId: string, query: Query<'searchLogs'>): Promise<Answer<'searchLogs'>> {
    return await this.logs.search(runId, this.tasks.logs(runId), query.text, query.limit ?? 50);
  }

  async listFailures(runId: string): Promise<Answer<'listFailures'>> {
    return { items: await this.tasks.listFailures(runId) };
  }

  async listDerivatives(runId: string, query: Query<'listDerivatives'>): Promise<Answer<'listDerivatives'>> {
    return await this.derivatives.list(runId, { ...query, limit: query.limit ?? 50 });
  }

  /** A task with what only this server knows of it: how far it is, and what it waits for. */
  #asItIs(task: Task): Task {
    const live = this.hands.live(task.runId);
    if (live === undefined) return task;
    if (task.state === 'running') return { ...task, progress: live.flights.get(task.index)?.progress ?? null };
    if (task.state === 'held') return { ...task, reason: 'Held back until the trial is released.' };
    if (task.state !== 'waiting' || task.reason !== null) return task;
    if (live.flights.has(task.index)) {
      return { ...task, reason: this.runner.waitingFor(live.order) ?? 'Starts next.' };
    }
    const { running } = live.counts;
    const behind = running > 0 ? `Waiting for its turn: ${running} of this run are running.` : null;
    return { ...task, reason: this.runner.waitingFor(live.order) ?? behind };
  }
}
