import { nullTranslator } from '@jupyterlab/translation';
import type { Task } from '@labscale/schema';
import * as React from 'react';
import { act } from 'react';
import { exampleClient, examples } from '../api/example-answers';
import type { RunModel } from './run-model';
import { TaskPane } from './task-pane';
import { mountedRoot } from '../ui/mounted-root';

const trans = nullTranslator.load('labscale');
const example = examples<Task>('Task');
const waiting = 'Waiting for room in the cluster: the only node has too little CPU free.';

describe('TaskPane', () => {
  const place = mountedRoot();
  const show = async (task: Task) => {
    const { client } = exampleClient({ getTask: () => task, listAttempts: () => ({ items: [], nextCursor: null }) });
    const model = { runId: task.runId, stateOf: () => task.state } as unknown as RunModel;
    const props = { model, client, trans, index: task.index, active: false, attempt: null, canRetry: false };
    await act(async () => place.root.render(<TaskPane {...props} onRetry={jest.fn()} />));
    await act(async () => new Promise((resolve) => setTimeout(resolve, 0)));
    return place.host.querySelector('.jp-Labscale-TaskPane-reason');
  };

  it.each(['waiting', 'failed'] as const)('says why a task is %s, as a fault only where it is one', async (state) => {
    const reason = await show({ ...example, state, reason: waiting });
    expect(reason?.textContent).toBe(waiting);
    expect(reason?.classList.contains('jp-mod-failed')).toBe(state === 'failed');
  });
});
