import type { Run, ServerEvent, TaskColumns } from '@labscale/schema';
import type { OperationId } from '@labscale/schema/operations';
import { exampleClient, examples, problemResponse, type ExampleAnswer } from '../api/example-answers';
import { Events } from '../api/example-events';
import { RunModel } from './run-model';
import { countTaskStates } from './task-states';

const example = examples<Run>('Run');
const changes = examples<Extract<ServerEvent, { type: 'tasks' }>>('ServerEvent');
const codes = { held: 'h', waiting: 'w', running: 'a', succeeded: 's', reused: 'r', failed: 'f', stopped: 'x' };
const running: Run = { ...example, state: 'running', derivatives: null, finishedAt: null };
const columns: TaskColumns = {
  runId: example.id,
  index: [],
  shardKey: [],
  parameterSetVersionId: [],
  state: [],
  durationSeconds: [],
  entities: {},
  metrics: {}
};

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());
const settle = async (ms = 0) => jest.advanceTimersByTimeAsync(ms);

function setUp(more: Partial<Record<OperationId, ExampleAnswer>> = {}) {
  const { client, requests } = exampleClient({
    getRun: () => running,
    getTaskStates: () => ({ runId: example.id, states: 'w'.repeat(100), codes, eventId: '1' }),
    getTaskColumns: () => columns,
    listFailures: () => ({ items: [] }),
    ...more
  });
  const events = new Events();
  const model = new RunModel(example.id, client, events);
  const asked = (operation: OperationId) => requests.filter((one) => one.operation === operation);
  return { model, events, asked };
}

it('reads and listens only while it is looked at', async () => {
  const { model, events, asked } = setUp();
  await settle(10_000);
  expect([asked('getRun').length, events.heard]).toEqual([0, false]);
  model.setActive(true);
  await settle();
  expect([asked('getRun').length, events.heard]).toEqual([1, true]);
  events.emit({ ...changes, counts: { ...changes.counts, succeeded: 50 } });
  model.setActive(false);
  await settle(60_000);
  expect([asked('getTaskColumns').length, events.heard]).toEqual([1, false]);
  model.setActive(true);
  await settle();
  expect(asked('getRun')).toHaveLength(2);
  model.dispose();
});

it('keeps up with the tasks by the ranges of events', async () => {
  const { model, events } = setUp();
  model.setActive(true);
  await settle();
  events.emit(changes);
  expect(model.run?.counts).toEqual(changes.counts);
  expect([28, 30, 31, 32, 34].map((index) => model.stateOf(index))).toEqual([
    'succeeded',
    'succeeded',
    'failed',
    'running',
    'waiting'
  ]);
  expect([...model.progress]).toEqual([
    [32, 0.5],
    [33, 0]
  ]);
  events.emit({ ...changes, states: { succeeded: '32' }, progress: {} });
  expect([...model.progress.keys()]).toEqual([33]);
  events.emit({ ...changes, runId: 'run-other', states: { failed: '0-99' } });
  expect(countTaskStates(model.states).failed).toBe(1);
  model.dispose();
});

it('does not lose what happened while it was reading', async () => {
  let answer: () => void = () => undefined;
  const { model, events } = setUp({
    getTaskStates: () =>
      new Promise((resolve) => {
        answer = () => resolve({ runId: example.id, states: 'w'.repeat(100), codes, eventId: '1' });
      })
  });
  model.setActive(true);
  await settle();
  events.emit(changes);
  answer();
  await settle();
  expect(model.stateOf(31)).toBe('failed');
  expect(model.run?.counts).toEqual(changes.counts);
  model.dispose();
});

it('reads everything anew after events were missed', async () => {
  let states = 'w'.repeat(100);
  const { model, events } = setUp({ getTaskStates: () => ({ runId: example.id, states, codes, eventId: '1' }) });
  model.setActive(true);
  await settle();
  states = 's'.repeat(100);
  events.emit({ type: 'reset' });
  await settle();
  expect(countTaskStates(model.states).succeeded).toBe(100);
  model.dispose();
});

it('reads the columns again when tasks have ended, and not for every event', async () => {
  const { model, events, asked } = setUp();
  model.setActive(true);
  await settle();
  for (let succeeded = 1; succeeded <= 40; succeeded += 1) {
    events.emit({ ...changes, counts: { ...changes.counts, succeeded } });
    await settle(50);
  }
  await settle(5_000);
  expect(asked('getTaskColumns').length).toBeLessThanOrEqual(4);
  expect(asked('getTaskColumns').length).toBeGreaterThanOrEqual(2);
  const before = asked('getTaskColumns').length;
  events.emit({ ...changes, counts: { ...changes.counts, succeeded: 40 }, progress: { '32': 0.9 } });
  await settle(10_000);
  expect(asked('getTaskColumns')).toHaveLength(before);
  model.dispose();
});

it('says what it could not read, and recovers', async () => {
  let gone = true;
  const { model } = setUp({ getRun: () => (gone ? problemResponse(404, 'NOT_FOUND') : running) });
  model.setActive(true);
  await settle();
  expect([model.run, model.error !== null, model.loading]).toEqual([null, true, false]);
  gone = false;
  await model.load();
  expect([model.run?.id, model.error]).toEqual([example.id, null]);
  model.dispose();
});
