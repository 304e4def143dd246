import type { Resources, Run } from '@labscale/schema';
import * as React from 'react';
import type { ILabscale } from '../tokens';
import { showFormDialog } from '../ui/form-dialog';
import { newestRun } from './newest-run';
import { ResourceFields } from './resource-fields';

export interface IRetryChoice {
  failureGroup?: string;
  taskIndexes?: number[];
  /** Tasks that this will run again. */
  count: number;
}

/** Asks with what failed tasks are to run again, and runs them; null where it was cancelled. */
export async function showRetryDialog(run: Run, choice: IRetryChoice, labscale: ILabscale): Promise<Run | null> {
  const { trans, client, events } = labscale;
  const form: { resources: Partial<Resources> } = { resources: {} };
  return showFormDialog<Run>({
    title: trans._n('Run %1 failed task again', 'Run %1 failed tasks again', choice.count),
    trans,
    accept: trans.__('Retry'),
    body: () => <RetryForm form={form} run={run} labscale={labscale} />,
    submit: () =>
      newestRun(events, () =>
        client.call('retryRun', {
          params: { runId: run.id },
          body: {
            ...(choice.failureGroup === undefined ? {} : { failureGroup: choice.failureGroup }),
            ...(choice.taskIndexes === undefined ? {} : { taskIndexes: choice.taskIndexes }),
            ...(Object.keys(form.resources).length === 0 ? {} : { resources: form.resources })
          }
        })
      )
  });
}

function RetryForm(props: { form: { resources: Partial<Resources> }; run: Run; labscale: ILabscale }): JSX.Element {
  const { form, run, labscale } = props;
  const [resources, setResources] = React.useState(form.resources);
  const [gpus, setGpus] = React.useState(false);
  React.useEffect(() => {
    // Where the server does not answer, Retry says so.
    labscale.serverInfo().then(
      ({ runner }) => setGpus(runner === 'kubernetes'),
      () => undefined
    );
  }, [labscale]);
  return (
    <>
      <p className="jp-Labscale-Field-help">
        {labscale.trans.__(
          'They run in the same run, with the same notebook and values. Leave a field empty to keep what it was.'
        )}
      </p>
      <ResourceFields
        trans={labscale.trans}
        defaults={run.resources}
        value={resources}
        onChange={(next) => {
          form.resources = next;
          setResources(next);
        }}
        gpus={gpus}
      />
    </>
  );
}
