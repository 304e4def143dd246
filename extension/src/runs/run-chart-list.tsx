import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';
import { Chart } from './chart';
import {
  durations,
  groupingEntities,
  histogramChart,
  metricByEntity,
  metricNames,
  metricOverShards
} from './run-charts';
import type { RunModel } from './run-model';

export interface IRunChartListProps {
  model: RunModel;
  trans: TranslationBundle;
  rendermime: IRenderMimeRegistry;
  themeChanged: ISignal<unknown, unknown> | null;
}

/** Durations, and each metric over the shards or by an entity. */
export function RunChartList(props: IRunChartListProps): JSX.Element {
  const { model, trans, ...drawing } = props;
  const { columns, run } = model;
  const [entity, setEntity] = React.useState('');
  if (columns === null) return <div className="jp-Labscale-Field-help">{trans.__('Loading…')}</div>;
  const seconds = durations(columns);
  const metrics = metricNames(columns);
  const entities = groupingEntities(columns);
  const setNames = new Map((run?.parameterSets ?? []).map((set) => [set.versionId, `${set.name} v${set.number}`]));
  const by = entities.includes(entity) ? entity : '';
  const text = (metric: string) => ({
    title: metric,
    task: trans.__('task'),
    shard: trans.__('shard'),
    parameterSet: trans.__('set'),
    tasks: trans.__('tasks')
  });
  if (seconds.length === 0 && metrics.length === 0) {
    return (
      <div className="jp-Labscale-Field-help">
        {trans.__(
          'Charts appear here when the first tasks have ended. Metrics come from labscale.metric(…) in the notebook.'
        )}
      </div>
    );
  }
  return (
    <>
      {metrics.length > 0 && entities.length > 0 && (
        <div className="jp-Labscale-RunPage-choice">
          <label htmlFor={`labscale-by-${model.runId}`}>{trans.__('Metrics')}</label>
          <select
            id={`labscale-by-${model.runId}`}
            className="jp-Labscale-Input"
            value={by}
            onChange={(event) => setEntity(event.target.value)}
          >
            <option value="">{trans.__('over all tasks')}</option>
            {entities.map((name) => (
              <option key={name} value={name}>
                {trans.__('by %1', name)}
              </option>
            ))}
          </select>
        </div>
      )}
      <div className="jp-Labscale-RunPage-charts">
        {metrics.map((metric) => (
          <figure key={metric}>
            <figcaption>{by === '' ? metric : trans.__('%1 by %2', metric, by)}</figcaption>
            <Chart
              {...drawing}
              trans={trans}
              label={trans.__('Chart of the metric %1', metric)}
              mark={`${by} ${columnsMark(model)}`}
              height={200}
              spec={(theme) =>
                by === ''
                  ? metricOverShards(columns, metric, setNames, text(metric), theme)
                  : metricByEntity(columns, metric, by, text(metric), theme)
              }
            />
          </figure>
        ))}
        {seconds.length > 0 && (
          <figure>
            <figcaption>{trans.__('Time per task')}</figcaption>
            <Chart
              {...drawing}
              trans={trans}
              label={trans.__('Histogram of the durations of the tasks')}
              mark={columnsMark(model)}
              height={200}
              spec={(theme) =>
                histogramChart(
                  seconds,
                  { title: trans.__('Time per task'), axis: trans.__('seconds'), tasks: trans.__('tasks') },
                  theme
                )
              }
            />
          </figure>
        )}
      </div>
    </>
  );
}

const marks = new WeakMap<object, number>();
let nextMark = 0;

/** A number for each reading of the columns: the charts are drawn anew only for a new one. */
function columnsMark(model: RunModel): number {
  if (model.columns === null) return -1;
  let mark = marks.get(model.columns);
  if (mark === undefined) marks.set(model.columns, (mark = nextMark += 1));
  return mark;
}
