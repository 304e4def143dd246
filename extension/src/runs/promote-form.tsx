import type { TranslationBundle } from '@jupyterlab/translation';
import type { Run } from '@labscale/schema';
import * as React from 'react';
import { ErrorNotice } from '../ui/error-notice';
import { focusFirst } from '../ui/focus-first';
import { Field } from '../ui/form-dialog';
import { formatCount } from '../ui/format-count';
import { formatSize } from '../ui/format-size';
import { LazyReactWidget } from '../ui/lazy-react-widget';
import { ListState } from '../ui/list-state';
import { SectionHeader } from '../ui/section-header';
import { useSignal } from '../ui/use-signal';
import { SetTick } from '../parameters/set-tick';
import { valueText } from '../parameters/value-text';
import { NumberField, ResourceFields } from './resource-fields';
import { analysisSource } from './analysis-source';
import {
  estimateText,
  missingChoice,
  missTitle,
  runLabel,
  type IPromoteStart,
  type PromoteModel,
  type TrialOrder
} from './promote-model';

export interface IPromoteActions {
  started: (run: Run) => void;
  /** Fork the version with other values; the form goes on with what comes of it. */
  changeValues: (versionId: string) => void;
  showDatasets: () => void;
}

/** What to run, and beside it what that would do. */
export class PromoteForm extends LazyReactWidget {
  constructor(
    readonly model: PromoteModel,
    readonly start: IPromoteStart,
    private readonly _trans: TranslationBundle,
    private readonly _actions: IPromoteActions
  ) {
    super();
    this.addClass('jp-Labscale-Document');
    this.addClass('jp-Labscale-Promote');
    this.visibilityChanged.connect((_, visible) => {
      if (!visible || this._loaded) return;
      this._loaded = true;
      void model.load();
    });
  }

  override dispose(): void {
    this.model.dispose();
    super.dispose();
  }

  protected renderVisible(): JSX.Element {
    return <Form model={this.model} trans={this._trans} actions={this._actions} drawn={this._focus} />;
  }

  protected override onActivateRequest(): void {
    this._focus();
  }

  /** On the button: everything is filled in where it came from a notebook, and Enter starts it. */
  private readonly _focus = (): void => {
    requestAnimationFrame(() => {
      if (!this.isDisposed && this.isVisible) {
        focusFirst(this.node, '.jp-Labscale-Promote-run', 'button, select');
      }
    });
  };

  private _loaded = false;
}

interface IFormProps {
  model: PromoteModel;
  trans: TranslationBundle;
  actions: IPromoteActions;
  /** Called when what was read is drawn first. */
  drawn: () => void;
}

function Form(props: IFormProps): JSX.Element {
  const { model, trans } = props;
  useSignal(model.changed);
  return (
    <ListState
      trans={trans}
      loading={model.loading}
      error={model.loadError}
      empty={model.analyses.length === 0}
      emptyText={trans.__(
        'There is nothing to run yet. Open a notebook, tune it, and choose Save parameters; then promote it here.'
      )}
      emptyAction={{ label: trans.__('Choose a dataset to tune on'), onClick: props.actions.showDatasets }}
      onRetry={() => void model.load()}
    >
      <div className="jp-Labscale-Promote-columns">
        <div className="jp-Labscale-Promote-form">
          <What {...props} />
          <Where {...props} />
          <How {...props} />
        </div>
        <PlanPane {...props} />
      </div>
    </ListState>
  );
}

function What(props: IFormProps): JSX.Element {
  const { model, trans, actions } = props;
  const { choice, analysis, analysisVersion, parameterSets } = model;
  // A version that is not the latest of its set (a link to an older one) is offered too.
  const known = new Set(parameterSets.map((set) => set.latestVersion.id));
  const others = choice.parameterSetVersionIds.filter((id) => !known.has(id));
  const toggle = (id: string) =>
    model.choose({
      parameterSetVersionIds: choice.parameterSetVersionIds.includes(id)
        ? choice.parameterSetVersionIds.filter((one) => one !== id)
        : [...choice.parameterSetVersionIds, id]
    });
  const chosen = parameterSets.filter((set) => choice.parameterSetVersionIds.includes(set.latestVersion.id));
  const only = chosen.length === 1 ? chosen[0] : undefined;
  return (
    <>
      <SectionHeader title={trans.__('What')} />
      <Field
        id="labscale-promote-analysis"
        label={trans.__('Analysis')}
        {...(analysisVersion === null
          ? {}
          : { help: trans.__('version %1, %2', analysisVersion.number, analysisSource(analysisVersion)) })}
      >
        <select
          id="labscale-promote-analysis"
          className="jp-Labscale-Input"
          value={analysis?.id ?? ''}
          onChange={(event) => void model.chooseAnalysis(event.target.value)}
        >
          {analysis === null && <option value="">{trans.__('Choose…')}</option>}
          {(analysis !== null && !model.analyses.some(({ id }) => id === analysis.id)
            ? [analysis, ...model.analyses]
            : model.analyses
          ).map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </Field>
      <fieldset className="jp-Labscale-Promote-sets">
        <legend>{trans.__('Parameter sets')}</legend>
        {parameterSets.length === 0 && others.length === 0 && <NoSet model={model} trans={trans} />}
        <div className="jp-Labscale-Promote-setList">
          {others.map((id) => (
            <label key={id}>
              <input type="checkbox" checked onChange={() => toggle(id)} />
              <span>{trans.__('An earlier version')}</span>
            </label>
          ))}
          {parameterSets.map((set) => (
            <SetTick
              key={set.id}
              set={set}
              checked={choice.parameterSetVersionIds.includes(set.latestVersion.id)}
              trans={trans}
              onChange={() => toggle(set.latestVersion.id)}
            />
          ))}
        </div>
      </fieldset>
      {only && analysisVersion && (
        <div className="jp-Labscale-Promote-values">
          <dl>
            {analysisVersion.contract.parameters.map(({ name, unit, description }) => (
              <div key={name} title={description}>
                <dt>
                  <code>{name}</code>
                </dt>
                <dd>
                  {valueText(only.latestVersion.values[name])} {unit}
                </dd>
              </div>
            ))}
          </dl>
          <button
            type="button"
            className="jp-Labscale-Button"
            onClick={() => actions.changeValues(only.latestVersion.id)}
          >
            {trans.__('Change values…')}
          </button>
        </div>
      )}
    </>
  );
}

function NoSet(props: Pick<IFormProps, 'model' | 'trans'>): JSX.Element {
  const { model, trans } = props;
  const notebook = model.analysisVersion === null || model.analysisVersion.kind === 'notebook';
  return (
    <div className="jp-Labscale-Field-help">
      {notebook
        ? trans.__('This analysis has no saved set yet: open its notebook and choose Save parameters.')
        : model.hasDefaults
          ? trans.__('This analysis has no saved set yet.')
          : trans.__('This analysis has no saved set yet: save one with the command labscale params save.')}
      {!notebook && model.hasDefaults && (
        <button
          type="button"
          className="jp-Labscale-Button"
          onClick={() => void model.saveDefaults(trans.__('defaults'))}
        >
          {trans.__('Save its defaults as a set')}
        </button>
      )}
    </div>
  );
}

function Where(props: IFormProps): JSX.Element {
  const { model, trans } = props;
  const { choice, dataset, datasets, queries } = model;
  const latest = dataset?.latestVersion;
  const query = queries.find(({ filter }) => filter === choice.filter);
  return (
    <>
      <SectionHeader title={trans.__('On what')} />
      <Field
        id="labscale-promote-dataset"
        label={trans.__('Dataset')}
        {...(dataset && latest
          ? {
              help:
                choice.datasetVersionId === latest.id
                  ? trans.__(
                      'version %1, %2 shards, %3',
                      latest.number,
                      formatCount(latest.shardCount),
                      formatSize(latest.sizeBytes)
                    )
                  : trans.__('an earlier version; the latest is %1', latest.number)
            }
          : {})}
      >
        <select
          id="labscale-promote-dataset"
          className="jp-Labscale-Input"
          value={dataset?.id ?? ''}
          onChange={(event) => void model.chooseDataset(event.target.value)}
        >
          {dataset === null && <option value="">{trans.__('Choose…')}</option>}
          {datasets.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </Field>
      {dataset && latest && choice.datasetVersionId !== latest.id && (
        <button
          type="button"
          className="jp-Labscale-Button"
          onClick={() => model.choose({ datasetVersionId: latest.id })}
        >
          {trans.__('Take the latest version')}
        </button>
      )}
      {queries.length > 0 && (
        <Field id="labscale-promote-query" label={trans.__('Query')}>
          <select
            id="labscale-promote-query"
            className="jp-Labscale-Input"
            value={query?.id ?? ''}
            onChange={(event) =>
              model.choose({ filter: queries.find(({ id }) => id === event.target.value)?.filter ?? '' })
            }
          >
            <option value="">{choice.filter === '' || query ? trans.__('All shards') : trans.__('Own filter')}</option>
            {queries.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </Field>
      )}
      <Field
        id="labscale-promote-filter"
        label={trans.__('Only shards with')}
        help={
          latest && latest.entityNames.length > 0
            ? trans.__('As %1; nothing means all.', `${latest.entityNames[0]}=…`)
            : trans.__('Words of the name, or name=value; nothing means all.')
        }
      >
        <input
          id="labscale-promote-filter"
          className="jp-Labscale-Input"
          spellCheck={false}
          placeholder={trans.__('all shards')}
          value={choice.filter}
          onChange={(event) => model.choose({ filter: event.target.value })}
        />
      </Field>
    </>
  );
}

function How(props: IFormProps): JSX.Element {
  const { model, trans } = props;
  const { trial, reuse } = model.choice;
  const orders: Record<TrialOrder, string> = {
    random: trans.__('at random'),
    largest: trans.__('the largest first'),
    first: trans.__('the first')
  };
  return (
    <>
      <SectionHeader title={trans.__('How')} />
      <div className="jp-Labscale-Promote-trial">
        <label>
          <input
            type="checkbox"
            checked={trial !== null}
            onChange={(event) => model.choose({ trial: event.target.checked ? { count: 8, order: 'random' } : null })}
          />
          {trans.__('Try some tasks first; the others wait until I release them')}
        </label>
        {trial !== null && (
          <div className="jp-Labscale-Promote-trialChoice">
            <input
              type="number"
              min={1}
              max={100_000}
              className="jp-Labscale-Input"
              aria-label={trans.__('Number of trial tasks')}
              value={trial.count}
              onChange={(event) => {
                const count = Math.round(event.target.valueAsNumber);
                if (count >= 1 && count <= 100_000) model.choose({ trial: { ...trial, count } });
              }}
            />
            <select
              className="jp-Labscale-Input"
              aria-label={trans.__('Which tasks')}
              value={trial.order}
              onChange={(event) => model.choose({ trial: { ...trial, order: event.target.value as TrialOrder } })}
            >
              {Object.entries(orders).map(([order, label]) => (
                <option key={order} value={order}>
                  {label}
                </option>
              ))}
            </select>
          </div>
        )}
      </div>
      <label className="jp-Labscale-Promote-reuse">
        <input type="checkbox" checked={reuse} onChange={(event) => model.choose({ reuse: event.target.checked })} />
        {trans.__('Take over what was computed before from the same data, values and code')}
      </label>
      <ResourceFields
        trans={trans}
        defaults={model.plan?.resources ?? model.analysisVersion?.contract.resources ?? null}
        value={model.choice.resources}
        onChange={(resources) => model.choose({ resources })}
        gpus={model.runner === 'kubernetes'}
      />
      {model.runner === 'kubernetes' && (
        <fieldset className="jp-Labscale-Resources jp-mod-pods">
          <legend>{trans.__('On the cluster')}</legend>
          <NumberField
            label={trans.__('Shards per pod')}
            value={model.choice.shardsPerPod}
            placeholder={trans.__("chosen from the trial's timing")}
            whole
            min={1}
            max={1_000}
            onChange={(shardsPerPod) => model.choose({ shardsPerPod })}
          />
        </fieldset>
      )}
    </>
  );
}

function PlanPane(props: IFormProps): JSX.Element {
  const { model, trans, actions, drawn } = props;
  const { plan, planning, planError, choice } = model;
  React.useEffect(drawn, [drawn]);
  const missing = missingChoice(choice, trans);
  const start = async () => {
    const run = await model.promote();
    if (run !== null) actions.started(run);
  };
  const ready = plan !== null && !planning && plan.tasks > 0 && !model.starting;
  return (
    <div className="jp-Labscale-Promote-plan" aria-busy={planning} aria-live="polite">
      <SectionHeader title={trans.__('Plan')} />
      {missing !== null && <div className="jp-Labscale-Field-help">{missing}</div>}
      {planError !== null && <ErrorNotice error={planError} trans={trans} onRetry={() => model.planAgain()} />}
      {missing === null && plan === null && planError === null && (
        <div className="jp-Labscale-Field-help">{trans.__('Working out what there is to do…')}</div>
      )}
      {plan !== null && planError === null && (
        <div className={planning ? 'jp-mod-stale' : undefined}>
          <div className="jp-Labscale-Promote-numbers">
            <Figure label={trans.__('tasks')} value={formatCount(plan.tasks)} />
            <Figure label={trans.__('reused')} value={formatCount(plan.reused)} />
            <Figure label={trans.__('to run')} value={formatCount(plan.toRun)} />
          </div>
          <dl className="jp-Labscale-Promote-facts">
            <dt>{trans.__('Shards')}</dt>
            <dd>{formatCount(plan.shards)}</dd>
            <dt>{trans.__('To read')}</dt>
            <dd>{formatSize(plan.inputBytes)}</dd>
            <dt>{trans.__('Time')}</dt>
            <dd>{estimateText(plan, trans)}</dd>
          </dl>
          {plan.misses.length > 0 && (
            <div className="jp-Labscale-Promote-misses">
              <div className="jp-Labscale-Promote-missesTitle">{trans.__('What has to run, and why')}</div>
              <ul>
                {plan.misses.map((miss) => (
                  <li key={`${miss.reason} ${miss.explanation}`}>
                    <span className="jp-Labscale-Promote-missCount">{formatCount(miss.count)}</span>
                    <span>
                      {missTitle(miss.reason, trans)}
                      <span className="jp-Labscale-Field-help">{miss.explanation}</span>
                    </span>
                  </li>
                ))}
              </ul>
            </div>
          )}
        </div>
      )}
      {model.startError !== null && <ErrorNotice error={model.startError} trans={trans} />}
      <button
        type="button"
        className="jp-Labscale-Button jp-mod-accept jp-Labscale-Promote-run"
        aria-disabled={!ready}
        onClick={() => {
          if (ready) void start();
        }}
      >
        {model.starting
          ? trans.__('Starting…')
          : plan !== null && plan.tasks > 0
            ? runLabel(plan, choice.trial, trans)
            : trans.__('Run')}
      </button>
    </div>
  );
}

function Figure(props: { label: string; value: string }): JSX.Element {
  return (
    <div>
      <div className="jp-Labscale-Promote-figure">{props.value}</div>
      <div className="jp-Labscale-Promote-figureLabel">{props.label}</div>
    </div>
  );
}
