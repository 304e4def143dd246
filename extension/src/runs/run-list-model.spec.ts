import type { Run } from '@labscale/schema';
import { exampleClient, examples, page } from '../api/example-answers';
import { Events } from '../api/example-events';
import { RunListModel } from './run-list-model';

const ended = examples<Run>('Run');
const publishing: Run = { ...ended, state: 'publishing', derivatives: null, finishedAt: null };
const begun: Run = { ...publishing, id: 'run-begun', state: 'starting' };

/** A list that is being read: its answer has left the server and is not here yet. */
function reading(answer: readonly Run[]) {
  let arrive = (): void => {};
  const arrival = new Promise<void>((resolve) => (arrive = resolve));
  const { client } = exampleClient({ listRuns: () => page([...answer]) });
  const slow = {
    call: (async (...args: Parameters<typeof client.call>) => {
      const result = await client.call(...args);
      await arrival;
      return result;
    }) as typeof client.call
  };
  const events = new Events();
  const model = new RunListModel(slow, events);
  const done = new Promise<void>((resolve) => model.changed.connect(() => void (model.loading || resolve())));
  model.resume();
  return { model, events, arrive, done };
}

it('keeps what events told while the list was read', async () => {
  const { model, events, arrive, done } = reading([publishing]);
  events.emit({ type: 'run', run: ended });
  events.emit({ type: 'run', run: begun });
  arrive();
  await done;
  await Promise.resolve();
  expect(model.runs.map(({ id, state }) => [id, state])).toEqual([
    [begun.id, 'starting'],
    [ended.id, ended.state]
  ]);
  model.dispose();
});

it('takes the list where it was read after what events told', async () => {
  const { model, events, arrive, done } = reading([ended]);
  arrive();
  await done;
  events.emit({ type: 'run', run: publishing });
  expect(model.runs.map(({ state }) => state)).toEqual(['publishing']);
  await model.refresh();
  expect(model.runs.map(({ state }) => state)).toEqual([ended.state]);
  model.dispose();
});
