import type { TranslationBundle } from '@jupyterlab/translation';
import type { Attempt, Task } from '@labscale/schema';
import * as React from 'react';
import { isAborted, type LabscaleClient } from '../api/client';
import { metricText } from '../parameters/value-text';
import { ErrorNotice } from '../ui/error-notice';
import { formatDuration } from '../ui/format-duration';
import { formatSize } from '../ui/format-size';
import { useSignal } from '../ui/use-signal';
import { LogTail } from './log-tail';
import type { RunModel } from './run-model';
import { taskStateText } from './run-text';

export interface ITaskPaneProps {
  model: RunModel;
  client: LabscaleClient;
  trans: TranslationBundle;
  index: number;
  /** Of the whole page: a page that is hidden follows no log. */
  active: boolean;
  /** Attempt to show first, from a search in the logs. */
  attempt: number | null;
  onRetry: (index: number) => void;
  canRetry: boolean;
}

/** One task: what it took, its attempts, and the log of one of them as it grows. */
export function TaskPane(props: ITaskPaneProps): JSX.Element {
  const { model, client, trans, index, active } = props;
  const [task, setTask] = React.useState<Task | null>(null);
  const [attempts, setAttempts] = React.useState<readonly Attempt[]>([]);
  const [chosen, setChosen] = React.useState<number | null>(props.attempt);
  const [error, setError] = React.useState<unknown>(null);
  const [round, setRound] = React.useState(0);
  const known = React.useRef({ index: -1, attempts: 0 });
  const state = model.stateOf(index);
  React.useEffect(() => setChosen(props.attempt), [index, props.attempt]);
  React.useEffect(() => {
    const abort = new AbortController();
    const { signal } = abort;
    const params = { runId: model.runId, index };
    Promise.all([client.call('getTask', { params, signal }), client.call('listAttempts', { params, signal })]).then(
      ([found, tries]) => {
        setTask(found);
        setAttempts(tries.items);
        // A new attempt is what one waits for who looks at an older one.
        const { length } = tries.items;
        if (known.current.index === index && length > known.current.attempts) setChosen(null);
        known.current = { index, attempts: length };
        setError(null);
      },
      (reason: unknown) => {
        if (!isAborted(reason) && !signal.aborted) setError(reason);
      }
    );
    return () => abort.abort();
  }, [model, client, index, state, round]);

  if (error !== null) return <ErrorNotice error={error} trans={trans} onRetry={() => setRound(round + 1)} />;
  if (task === null || task.index !== index)
    return <div className="jp-Labscale-Field-help">{trans.__('Loading…')}</div>;
  const attempt = attempts.find(({ number }) => number === chosen) ?? attempts[attempts.length - 1] ?? null;
  const shown = attempt ?? task;
  const facts: [string, string | null][] = [
    [trans.__('Time'), shown.durationSeconds === null ? null : formatDuration(shown.durationSeconds)],
    [trans.__('CPU'), shown.cpuSeconds === null ? null : formatDuration(shown.cpuSeconds)],
    [trans.__('Memory'), shown.peakMemoryBytes === null ? null : formatSize(shown.peakMemoryBytes)],
    ...Object.entries(task.metrics).map(([name, value]): [string, string] => [name, metricText(value)])
  ];
  return (
    <div className="jp-Labscale-TaskPane">
      <div className="jp-Labscale-TaskPane-head">
        <h3 title={task.shardKey}>{task.shardKey}</h3>
        <span className={`jp-Labscale-Badge jp-mod-${task.state}`}>{taskStateText(state ?? task.state, trans)}</span>
        {task.state === 'failed' && props.canRetry && (
          <button type="button" className="jp-Labscale-Button" onClick={() => props.onRetry(index)}>
            {trans.__('Retry…')}
          </button>
        )}
      </div>
      {task.reason !== null && <div className={`jp-Labscale-TaskPane-reason jp-mod-${task.state}`}>{task.reason}</div>}
      {task.reusedFrom !== null && (
        <div className="jp-Labscale-Field-help">
          {trans.__('Taken over from run %1, task %2.', task.reusedFrom.runId, task.reusedFrom.taskIndex)}
        </div>
      )}
      <dl className="jp-Labscale-TaskPane-facts">
        {facts.map(([name, value]) =>
          value === null ? null : (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          )
        )}
      </dl>
      {attempts.length > 1 && (
        <div className="jp-Labscale-TaskPane-attempts" role="group" aria-label={trans.__('Attempts')}>
          {attempts.map(({ number, state: attemptState, reason }) => (
            <button
              key={number}
              type="button"
              className="jp-Labscale-Button"
              aria-pressed={number === attempt?.number}
              title={reason ?? attemptState}
              onClick={() => setChosen(number)}
            >
              {trans.__('Attempt %1', number)}
            </button>
          ))}
        </div>
      )}
      {attempt === null ? (
        <div className="jp-Labscale-Field-help">
          {task.state === 'reused'
            ? trans.__('It did not run here, so it has no log here.')
            : trans.__('It has not started yet.')}
        </div>
      ) : (
        <Log
          key={`${index} ${attempt.number}`}
          {...{ client, trans, active }}
          runId={model.runId}
          index={index}
          attempt={attempt.number}
        />
      )}
    </div>
  );
}

interface ILogProps {
  client: LabscaleClient;
  trans: TranslationBundle;
  runId: string;
  index: number;
  attempt: number;
  active: boolean;
}

function Log(props: ILogProps): JSX.Element {
  const { client, trans, runId, index, attempt, active } = props;
  const tail = React.useMemo(() => new LogTail(client, runId, index, attempt), [client, runId, index, attempt]);
  const pre = React.useRef<HTMLPreElement>(null);
  const stuck = React.useRef(true);
  useSignal(tail.changed);
  React.useEffect(() => () => tail.dispose(), [tail]);
  React.useEffect(() => tail.setActive(active), [tail, active]);
  React.useLayoutEffect(() => {
    // Only a reader at the end is taken along.
    if (pre.current && stuck.current) pre.current.scrollTop = pre.current.scrollHeight;
  }, [tail.text]);
  if (tail.error !== null && tail.text === '') {
    return (
      <ErrorNotice
        error={tail.error}
        trans={trans}
        onRetry={() => {
          tail.setActive(false);
          tail.setActive(active);
        }}
      />
    );
  }
  if (tail.ended && tail.text === '') {
    return <div className="jp-Labscale-Field-help">{trans.__('It wrote nothing into its log.')}</div>;
  }
  return (
    <>
      {tail.cut && (
        <div className="jp-Labscale-Field-help">
          {trans.__('Only the end is shown. Search looks through all of it.')}
        </div>
      )}
      <pre
        ref={pre}
        className="jp-Labscale-Log"
        tabIndex={0}
        aria-label={trans.__('Log of task %1, attempt %2', index + 1, attempt)}
        onScroll={(event) => {
          const { scrollTop, clientHeight, scrollHeight } = event.currentTarget;
          stuck.current = scrollTop + clientHeight >= scrollHeight - 8;
        }}
      >
        {tail.loading ? trans.__('Loading…') : tail.text === '' ? trans.__('(nothing yet)') : tail.text}
      </pre>
    </>
  );
}
