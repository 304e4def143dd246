import { nullTranslator } from '@jupyterlab/translation';
import type { Task } from '@labscale/schema';
import * as React from 'react';
import { act } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { exampleClient, examples } from '../api/example-answers';
import type { RunModel } from './run-model';
import { TaskPane } from './task-pane';

const trans = nullTranslator.load('labscale');
const example = examples<Task>('Task');
const waiting = 'Waiting for room in the cluster: the only node has too little CPU free.';

describe('TaskPane', () => {
  let host: HTMLElement;
  let root: Root;
  beforeAll(() => {
    (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  });
  beforeEach(() => {
    host = document.body.appendChild(document.createElement('div'));
    root = createRoot(host);
  });
  afterEach(() => {
    act(() => root.unmount());
    host.remove();
  });
  const show = async (task: Task) => {
    const { client } = exampleClient({ getTask: () => task, listAttempts: () => ({ items: [], nextCursor: null }) });
    const model = { runId: task.runId, stateOf: () => task.state } as unknown as RunModel;
    const props = { model, client, trans, index: task.index, active: false, attempt: null, canRetry: false };
    await act(async () => root.render(<TaskPane {...props} onRetry={jest.fn()} />));
    await act(async () => new Promise((resolve) => setTimeout(resolve, 0)));
    return host.querySelector('.jp-Labscale-TaskPane-reason');
  };

  it.each(['waiting', 'failed'] as const)('says why a task is %s, as a fault only where it is one', async (state) => {
    const reason = await show({ ...example, state, reason: waiting });
    expect(reason?.textContent).toBe(waiting);
    expect(reason?.classList.contains('jp-mod-failed')).toBe(state === 'failed');
  });
});
