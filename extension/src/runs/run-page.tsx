import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { Operations, TaskState } from '@labscale/schema';
import { Signal, type ISignal } from '@lumino/signaling';
import * as React from 'react';
import type { ILabscale } from '../tokens';
import { focusFirst } from '../ui/focus-first';
import { formatCount } from '../ui/format-count';
import { LazyReactWidget } from '../ui/lazy-react-widget';
import { ListState } from '../ui/list-state';
import { SectionHeader } from '../ui/section-header';
import { useSignal } from '../ui/use-signal';
import { DerivativeList } from './derivative-list';
import { FailureList } from './failure-list';
import { groupByLabel, type IGridGroup } from './grid-layout';
import { LogSearch } from './log-search';
import { RunAbout } from './run-about';
import { RunChartList } from './run-chart-list';
import { groupingEntities } from './run-charts';
import { RunHead, type IRunActions } from './run-head';
import { RunModel } from './run-model';
import { runAbilities, taskStateText } from './run-text';
import { ShardGrid } from './shard-grid';
import { TaskPane } from './task-pane';
import { TaskTable } from './task-table';
import { taskStateList } from './task-states';

type FailureGroup = Operations['listFailures']['result']['items'][number];

export interface IRunPageActions extends IRunActions {
  retryGroup: (group: FailureGroup) => void;
  retryTask: (index: number) => void;
  openDerivative: (shardKey: string, path: string) => void;
  openNotebook: () => void;
  openSet: (parameterSetId: string) => void;
  openDataset: () => void;
}

export interface IRunPageOptions {
  runId: string;
  labscale: ILabscale;
  rendermime: IRenderMimeRegistry;
  themeChanged: ISignal<unknown, unknown> | null;
  actions: (page: RunPage) => IRunPageActions;
}

/** One run: where it stands, every task, charts, failures, logs, derivatives, and what it was made from. */
export class RunPage extends LazyReactWidget {
  constructor(private readonly _options: IRunPageOptions) {
    super();
    const { labscale, runId } = _options;
    this.model = new RunModel(runId, labscale.client, labscale.events);
    this.addClass('jp-Labscale-Document');
    this.addClass('jp-Labscale-RunPage');
    this._actions = _options.actions(this);
    this.visibilityChanged.connect((_, visible) => {
      this._shown = visible;
      this.model.setActive(visible);
      this._changed.emit();
    });
    this.model.changed.connect(() => {
      if (this.model.run !== null) this.title.label = this.model.run.name;
    });
  }

  readonly model: RunModel;

  get visible(): boolean {
    return this._shown;
  }
  /** Selection and visibility. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }
  get selectedIndex(): number | null {
    return this._selectedIndex;
  }
  get selectedAttempt(): number | null {
    return this._selectedAttempt;
  }

  /** Shows a task beside the grid; `attempt` null shows its last one. */
  select(index: number | null, attempt: number | null = null): void {
    this._selectedIndex = index;
    this._selectedAttempt = attempt;
    this._changed.emit();
  }

  /** Brings the pane of the selected task into view and gives it the focus. */
  openSelected(): void {
    requestAnimationFrame(() => {
      const pane = this.node.querySelector<HTMLElement>('.jp-Labscale-RunPage-task');
      pane?.scrollIntoView({ block: 'nearest' });
      pane?.focus();
    });
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.model.dispose();
    super.dispose();
  }

  protected renderVisible(): JSX.Element {
    return <Page {...this._options} page={this} actions={this._actions} />;
  }

  protected override onActivateRequest(): void {
    focusFirst(this.node, '.jp-Labscale-Grid-scroller', 'button');
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _actions: IRunPageActions;
  private _shown = false;
  private _selectedIndex: number | null = null;
  private _selectedAttempt: number | null = null;
}

interface IPageProps extends Omit<IRunPageOptions, 'actions'> {
  page: RunPage;
  actions: IRunPageActions;
}

function Page(props: IPageProps): JSX.Element {
  const { page, labscale } = props;
  const { model } = page;
  useSignal(model.changed);
  useSignal(page.changed);
  return (
    <ListState
      trans={labscale.trans}
      loading={model.loading && model.run === null}
      error={model.run === null ? model.error : null}
      empty={false}
      emptyText=""
      onRetry={() => void model.load()}
    >
      {model.run !== null && <Parts {...props} />}
    </ListState>
  );
}

function Parts(props: IPageProps): JSX.Element | null {
  const { page, labscale, rendermime, themeChanged, actions } = props;
  const { model } = page;
  const { trans, client } = labscale;
  const { run } = model;
  const nameOf = React.useCallback((index: number) => taskName(model, index), [model]);
  if (run === null) return null;
  const can = runAbilities(run);
  const open = (index: number) => {
    page.select(index);
    page.openSelected();
  };
  return (
    <>
      <RunHead run={run} trans={trans} actions={actions} themeChanged={themeChanged} />
      {model.failures.length > 0 && (
        <section aria-label={trans.__('Failures')}>
          <SectionHeader title={trans.__('Failures')} detail={trans._n('%1 kind', '%1 kinds', model.failures.length)} />
          <FailureList
            groups={model.failures}
            trans={trans}
            nameOf={nameOf}
            canRetry={can.retry}
            onRetry={actions.retryGroup}
            onOpen={open}
          />
        </section>
      )}
      <Tasks {...props} nameOf={nameOf} canRetry={can.retry} onOpen={open} />
      <section aria-label={trans.__('Charts')}>
        <SectionHeader title={trans.__('Charts')} />
        <RunChartList {...{ model, trans, rendermime, themeChanged }} />
      </section>
      <section aria-label={trans.__('Derivatives')}>
        <SectionHeader
          title={trans.__('Derivatives')}
          {...(run.derivatives === null
            ? {}
            : { detail: trans._n('%1 shard', '%1 shards', run.derivatives.shardCount) })}
        />
        <DerivativeList run={run} client={client} trans={trans} onOpen={actions.openDerivative} />
      </section>
      <section aria-label={trans.__('Logs')}>
        <SectionHeader title={trans.__('Logs')} />
        <LogSearch
          runId={run.id}
          client={client}
          trans={trans}
          onOpen={(index, attempt) => {
            page.select(index, attempt);
            page.openSelected();
          }}
        />
      </section>
      <section aria-label={trans.__('Made from')}>
        <SectionHeader title={trans.__('Made from')} />
        <RunAbout
          run={run}
          client={client}
          trans={trans}
          onNotebook={actions.openNotebook}
          onSet={actions.openSet}
          onDataset={actions.openDataset}
        />
      </section>
    </>
  );
}

interface ITasksProps extends IPageProps {
  nameOf: (index: number) => string;
  canRetry: boolean;
  onOpen: (index: number) => void;
}

function Tasks(props: ITasksProps): JSX.Element {
  const { page, labscale, themeChanged, actions, nameOf, canRetry, onOpen } = props;
  const { model } = page;
  const { trans, client } = labscale;
  const [view, setView] = React.useState<'grid' | 'table'>('grid');
  const [entity, setEntity] = React.useState('');
  const [only, setOnly] = React.useState<TaskState | ''>('');
  const { columns } = model;
  const count = model.states.length;
  const entities = React.useMemo(() => (columns === null ? [] : groupingEntities(columns)), [columns]);
  const by = entities.includes(entity) ? entity : '';
  const labels = columns?.entities[by] ?? null;
  const groups = React.useMemo(
    (): IGridGroup[] =>
      labels === null
        ? [{ label: '', indexes: Uint32Array.from({ length: count }, (_, index) => index) }]
        : groupByLabel(labels, trans.__('without')).map((group) => ({ ...group, label: `${by} ${group.label}` })),
    [by, labels, count, trans]
  );
  return (
    <section aria-label={trans.__('Tasks')}>
      <SectionHeader title={trans.__('Tasks')} detail={formatCount(count)}>
        {view === 'grid' && entities.length > 0 && (
          <select
            className="jp-Labscale-Input"
            aria-label={trans.__('Group by')}
            value={by}
            onChange={(event) => setEntity(event.target.value)}
          >
            <option value="">{trans.__('in order')}</option>
            {entities.map((name) => (
              <option key={name} value={name}>
                {trans.__('by %1', name)}
              </option>
            ))}
          </select>
        )}
        {view === 'table' && (
          <select
            className="jp-Labscale-Input"
            aria-label={trans.__('Only tasks that are')}
            value={only}
            onChange={(event) => setOnly(event.target.value as TaskState | '')}
          >
            <option value="">{trans.__('all states')}</option>
            {taskStateList.map((state) => (
              <option key={state} value={state}>
                {taskStateText(state, trans)}
              </option>
            ))}
          </select>
        )}
        <div className="jp-Labscale-Switch" role="group" aria-label={trans.__('View')}>
          <button
            type="button"
            className="jp-Labscale-Button"
            aria-pressed={view === 'grid'}
            onClick={() => setView('grid')}
          >
            {trans.__('Grid')}
          </button>
          <button
            type="button"
            className="jp-Labscale-Button"
            aria-pressed={view === 'table'}
            onClick={() => setView('table')}
          >
            {trans.__('Table')}
          </button>
        </div>
      </SectionHeader>
      <div className="jp-Labscale-RunPage-tasks">
        <div className="jp-Labscale-RunPage-grid">
          {view === 'grid' ? (
            <ShardGrid
              model={model}
              trans={trans}
              groups={groups}
              grouped={by !== ''}
              nameOf={nameOf}
              selectedIndex={page.selectedIndex}
              onSelect={(index) => page.select(index)}
              onOpen={onOpen}
              themeChanged={themeChanged}
            />
          ) : (
            <TaskTable
              model={model}
              trans={trans}
              nameOf={nameOf}
              only={only === '' ? null : only}
              selectedIndex={page.selectedIndex}
              onSelect={(index) => page.select(index)}
              onOpen={onOpen}
              themeChanged={themeChanged}
            />
          )}
        </div>
        <div
          className={`jp-Labscale-RunPage-task${page.selectedIndex === null ? '' : ' jp-mod-chosen'}`}
          tabIndex={-1}
          aria-label={trans.__('Selected task')}
        >
          {page.selectedIndex === null ? (
            <div className="jp-Labscale-Field-help">
              {trans.__('Choose a task to see what it took and what it wrote.')}
            </div>
          ) : (
            <TaskPane
              model={model}
              client={client}
              trans={trans}
              index={page.selectedIndex}
              attempt={page.selectedAttempt}
              active={page.visible}
              canRetry={canRetry}
              onRetry={actions.retryTask}
            />
          )}
        </div>
      </div>
    </section>
  );
}

/** By its entities, else its shard, with the set where there are several. */
function taskName(model: RunModel, index: number): string {
  const { columns, run } = model;
  if (columns === null) return `#${index + 1}`;
  const entities = Object.entries(columns.entities).flatMap(([name, labels]) => {
    const label = labels[index];
    return label === null || label === undefined || name === 'extension' ? [] : [`${name} ${label}`];
  });
  const shard = entities.length > 0 ? entities.join(', ') : (columns.shardKey[index] ?? `#${index + 1}`);
  if (run === null || run.parameterSets.length < 2) return shard;
  const set = run.parameterSets.find(({ versionId }) => versionId === columns.parameterSetVersionId[index]);
  return set ? `${shard} — ${set.name} v${set.number}` : shard;
}
