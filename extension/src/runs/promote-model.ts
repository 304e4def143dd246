import type {
  Analysis,
  AnalysisVersion,
  Dataset,
  ParameterSet,
  Plan,
  Promotion,
  Query,
  Resources,
  Run,
  ServerInfo
} from '@labscale/schema';
import type { TranslationBundle } from '@jupyterlab/translation';
import { UUID } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import { isAborted, type LabscaleClient } from '../api/client';
import type { EventStream } from '../api/event-stream';
import { formatCount } from '../ui/format-count';
import { formatDuration } from '../ui/format-duration';
import { newestRun } from './newest-run';

export type TrialOrder = NonNullable<Promotion['trial']>['order'];

/** What is chosen in the form; null where nothing is chosen yet. */
export interface IPromoteChoice {
  analysisVersionId: string | null;
  parameterSetVersionIds: readonly string[];
  datasetVersionId: string | null;
  filter: string;
  trial: { count: number; order: TrialOrder } | null;
  resources: Partial<Resources>;
  /** Null: chosen from the trial's timing. */
  shardsPerPod: number | null;
  reuse: boolean;
}

export const emptyChoice: IPromoteChoice = {
  analysisVersionId: null,
  parameterSetVersionIds: [],
  datasetVersionId: null,
  filter: '',
  trial: null,
  resources: {},
  shardsPerPod: null,
  reuse: true
};

/** The promotion that a choice stands for, or null while something is missing. */
export function toPromotion(choice: IPromoteChoice): Promotion | null {
  if (choice.analysisVersionId === null || choice.datasetVersionId === null) return null;
  if (choice.parameterSetVersionIds.length === 0) return null;
  const filter = choice.filter.trim();
  return {
    analysisVersionId: choice.analysisVersionId,
    parameterSetVersionIds: [...choice.parameterSetVersionIds],
    datasetVersionId: choice.datasetVersionId,
    ...(filter === '' ? {} : { filter }),
    ...(choice.trial === null ? {} : { trial: choice.trial }),
    ...(Object.keys(choice.resources).length === 0 ? {} : { resources: choice.resources }),
    ...(choice.shardsPerPod === null ? {} : { shardsPerPod: choice.shardsPerPod }),
    ...(choice.reuse ? {} : { reuse: false })
  };
}

/** What is still missing, in plain words; null where the choice is complete. */
export function missingChoice(choice: IPromoteChoice, trans: TranslationBundle): string | null {
  if (choice.analysisVersionId === null) return trans.__('Choose an analysis.');
  if (choice.parameterSetVersionIds.length === 0) return trans.__('Choose at least one parameter set.');
  if (choice.datasetVersionId === null) return trans.__('Choose a dataset.');
  return null;
}

/** What the button does, as `Run 1,240 tasks (560 reused)`. */
export function runLabel(plan: Plan, trial: IPromoteChoice['trial'], trans: TranslationBundle): string {
  const reused = plan.reused > 0 ? ` ${trans.__('(%1 reused)', formatCount(plan.reused))}` : '';
  if (plan.toRun === 0) return trans._n('Publish %1 reused task', 'Publish %1 reused tasks', plan.reused);
  if (trial !== null && trial.count < plan.toRun) {
    return trans.__('Try %1 of %2 tasks', formatCount(trial.count), formatCount(plan.toRun)) + reused;
  }
  return (plan.tasks === 1 ? trans.__('Run 1 task') : trans.__('Run %1 tasks', formatCount(plan.tasks))) + reused;
}

export function estimateText(plan: Plan, trans: TranslationBundle): string {
  if (plan.toRun === 0) return trans.__('Nothing needs to run.');
  if (plan.estimate === null) return trans.__('Unknown: no task of this analysis has been timed yet.');
  const bases: Record<NonNullable<Plan['estimate']>['basis'], string> = {
    'earlier-runs': trans.__('from earlier runs'),
    trial: trans.__('from the trial'),
    snippet: trans.__('from the timing on the snippet')
  };
  const { seconds, secondsPerTask, parallel, basis } = plan.estimate;
  return trans.__(
    'about %1 — %2 per task, %3 at a time, %4',
    formatDuration(seconds),
    formatDuration(secondsPerTask),
    formatCount(parallel),
    bases[basis]
  );
}

export function missTitle(reason: Plan['misses'][number]['reason'], trans: TranslationBundle): string {
  const titles: Record<Plan['misses'][number]['reason'], string> = {
    'new-shard': trans.__('New shards'),
    'shard-changed': trans.__('Shards whose data changed'),
    'parameters-changed': trans.__('Other parameter values'),
    'analysis-changed': trans.__('The analysis changed'),
    'environment-changed': trans.__('The environment changed'),
    'never-run': trans.__('Never run before'),
    'not-published': trans.__('Run before, but not published'),
    'reuse-off': trans.__('Reuse is switched off')
  };
  return titles[reason];
}

/** What to begin with; the form asks for the rest. */
export interface IPromoteStart {
  parameterSetVersionIds?: readonly string[];
  analysisVersionId?: string;
  datasetVersionId?: string;
  filter?: string;
  /** Of the page, the same after a reload of Lab. */
  pageId?: string;
  /** As the form had it when Lab was loaded anew. */
  how?: Pick<IPromoteChoice, 'trial' | 'resources' | 'reuse'> & Partial<Pick<IPromoteChoice, 'shardsPerPod'>>;
}

/** Pause after the last keystroke before the plan is asked for. */
const planDelayMs = 250;
const pageLimit = 200;

/** The promote form: what is chosen, what can be chosen, and the plan that goes with it. */
export class PromoteModel implements IDisposable {
  constructor(
    private readonly _client: Pick<LabscaleClient, 'call'>,
    private readonly _events: Pick<EventStream, 'on'>,
    private readonly _start: IPromoteStart,
    /** Tasks to do first unless one chooses otherwise; 0 for all at once. */
    private readonly _trialSize: number = 0
  ) {}

  choice: IPromoteChoice = emptyChoice;
  /** True until the first lists are there. */
  loading = true;
  loadError: unknown = null;
  analyses: readonly Analysis[] = [];
  analysis: Analysis | null = null;
  analysisVersion: AnalysisVersion | null = null;
  parameterSets: readonly ParameterSet[] = [];
  datasets: readonly Dataset[] = [];
  dataset: Dataset | null = null;
  queries: readonly Query[] = [];
  /** What runs the tasks; null until it is known. */
  runner: ServerInfo['runner'] | null = null;

  plan: Plan | null = null;
  /** True while the plan does not belong to the choice any more. */
  planning = false;
  planError: unknown = null;
  starting = false;
  startError: unknown = null;

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  async load(): Promise<void> {
    this.loading = true;
    this.loadError = null;
    this._changed.emit();
    try {
      const [server, analyses, datasets, versions] = await Promise.all([
        this._client.call('getServer'),
        this._client.call('listAnalyses', { query: { limit: pageLimit } }),
        this._client.call('listDatasets', { query: { limit: pageLimit } }),
        Promise.all(
          (this._start.parameterSetVersionIds ?? []).map((versionId) =>
            this._client.call('getParameterSetVersion', { params: { versionId } })
          )
        )
      ]);
      this.runner = server.runner;
      this.analyses = analyses.items;
      this.datasets = datasets.items;
      const analysisVersionId = this._start.analysisVersionId ?? versions[0]?.analysisVersionId ?? null;
      if (analysisVersionId !== null) {
        const version = await this._client.call('getAnalysisVersion', { params: { versionId: analysisVersionId } });
        this.analysis =
          this.analyses.find((one) => one.id === version.analysisId) ??
          (await this._client.call('getAnalysis', { params: { analysisId: version.analysisId } }));
        this.analysisVersion = version;
        await this._loadSets(version.analysisId);
      }
      const snippetVersionId = versions.find((one) => one.provenance.datasetVersionId !== null)?.provenance
        .datasetVersionId;
      await this._loadDataset(this._start.datasetVersionId ?? null, snippetVersionId ?? null);
      this.choice = {
        ...emptyChoice,
        analysisVersionId: this.analysisVersion?.id ?? null,
        parameterSetVersionIds: versions.map((one) => one.id),
        datasetVersionId: this._start.datasetVersionId ?? this.dataset?.latestVersion.id ?? null,
        filter: this._start.filter ?? '',
        trial: this._trialSize > 0 ? { count: this._trialSize, order: 'random' } : null,
        ...this._start.how
      };
    } catch (error) {
      this.loadError = error;
    }
    this.loading = false;
    this._schedulePlan();
    this._changed.emit();
  }

  /** Changes the choice; the plan follows after a short pause. */
  choose(change: Partial<IPromoteChoice>): void {
    this.choice = { ...this.choice, ...change };
    this._key = null;
    this.startError = null;
    this._schedulePlan();
    this._changed.emit();
  }

  async chooseAnalysis(analysisId: string): Promise<void> {
    const analysis = this.analyses.find((one) => one.id === analysisId) ?? null;
    this.analysis = analysis;
    this.analysisVersion = analysis?.latestVersion ?? null;
    this.parameterSets = [];
    this.choose({ analysisVersionId: analysis?.latestVersion.id ?? null, parameterSetVersionIds: [], resources: {} });
    if (analysis === null) return;
    await this._report(async () => {
      await this._loadSets(analysisId);
      if (this.analysis !== analysis) return;
      const newest = this.parameterSets[0];
      if (newest) this.choose({ parameterSetVersionIds: [newest.latestVersion.id] });
    });
  }

  async chooseDataset(datasetId: string): Promise<void> {
    const dataset = this.datasets.find((one) => one.id === datasetId) ?? null;
    this.dataset = dataset;
    this.queries = [];
    this.choose({ datasetVersionId: dataset?.latestVersion.id ?? null, filter: '' });
    if (dataset === null) return;
    await this._report(async () => {
      const queries = await this._client.call('listQueries', { params: { datasetId }, query: { limit: pageLimit } });
      if (this.dataset === dataset) this.queries = queries.items;
    });
  }

  /** A set that was made beside the form, as by a fork, is offered and chosen. */
  addParameterSet(set: ParameterSet): void {
    this.parameterSets = [set, ...this.parameterSets.filter((one) => one.id !== set.id)];
    this.choose({ parameterSetVersionIds: [set.latestVersion.id] });
  }

  /** Whether the analysis can run with what its contract says, so that a set of that can be saved for it. */
  get hasDefaults(): boolean {
    return (
      this.analysisVersion !== null &&
      this.analysisVersion.contract.parameters.every((parameter) => parameter.default !== undefined)
    );
  }

  /** Saves the defaults of the contract as a set: nothing is tuned in a notebook for a command or a container. */
  async saveDefaults(name: string): Promise<void> {
    const version = this.analysisVersion;
    if (version === null) return;
    await this._report(async () => {
      const body = { name, analysisVersionId: version.id, values: {} };
      const set = await this._client.call('createParameterSet', { body });
      if (this.analysisVersion === version) this.addParameterSet(set);
    });
  }

  /** Writes the intent; the same key while nothing changes, so that a second click or a lost answer starts no second run. */
  async promote(): Promise<Run | null> {
    const promotion = toPromotion(this.choice);
    if (promotion === null || this.starting) return null;
    const idempotencyKey = (this._key ??= UUID.uuid4());
    this.starting = true;
    this.startError = null;
    this._changed.emit();
    try {
      return await newestRun(this._events, () =>
        this._client.call('createRun', { body: { promotion }, idempotencyKey })
      );
    } catch (error) {
      this.startError = error;
      return null;
    } finally {
      this.starting = false;
      this._changed.emit();
    }
  }

  get isDisposed(): boolean {
    return this._disposed;
  }
  dispose(): void {
    if (this._disposed) return;
    this._disposed = true;
    window.clearTimeout(this._timer);
    this._abort?.abort();
    Signal.clearData(this);
  }

  private async _loadSets(analysisId: string): Promise<void> {
    const sets = await this._client.call('listParameterSets', { query: { analysisId, limit: pageLimit } });
    if (this.analysis === null || this.analysis.id === analysisId) this.parameterSets = sets.items;
  }

  private async _loadDataset(wanted: string | null, tunedOn: string | null): Promise<void> {
    const versionId = wanted ?? tunedOn;
    if (versionId !== null) {
      const known = this.datasets.find((one) => one.latestVersion.id === versionId);
      this.dataset = known ?? (await this._datasetOfVersion(versionId));
    } else if (this.datasets.length === 1) this.dataset = this.datasets[0] ?? null;
    if (this.dataset === null) return;
    const query = { params: { datasetId: this.dataset.id }, query: { limit: pageLimit } };
    this.queries = (await this._client.call('listQueries', query)).items;
  }

  private async _datasetOfVersion(versionId: string): Promise<Dataset> {
    const { datasetId } = await this._client.call('getDatasetVersion', { params: { versionId } });
    return (
      this.datasets.find((one) => one.id === datasetId) ??
      (await this._client.call('getDataset', { params: { datasetId } }))
    );
  }

  private async _report(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.loadError = error;
    }
    this._changed.emit();
  }

  private _schedulePlan(): void {
    window.clearTimeout(this._timer);
    this._abort?.abort();
    this._abort = null;
    this.planError = null;
    const promotion = toPromotion(this.choice);
    this.planning = promotion !== null;
    if (promotion === null) {
      this.plan = null;
      return;
    }
    // The very first plan need not wait: nobody is typing yet.
    const delay = this.plan === null ? 0 : planDelayMs;
    this._timer = window.setTimeout(() => void this._askForPlan(promotion), delay);
  }

  private async _askForPlan(promotion: Promotion): Promise<void> {
    const abort = new AbortController();
    this._abort = abort;
    try {
      const plan = await this._client.call('createPlan', { body: promotion, signal: abort.signal });
      if (abort.signal.aborted) return;
      this.plan = plan;
    } catch (error) {
      if (isAborted(error) || abort.signal.aborted) return;
      this.plan = null;
      this.planError = error;
    }
    this.planning = false;
    this._changed.emit();
  }

  /** Asks once more, after an error. */
  planAgain(): void {
    this._schedulePlan();
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private _timer = 0;
  private _abort: AbortController | null = null;
  private _key: string | null = null;
  private _disposed = false;
}
