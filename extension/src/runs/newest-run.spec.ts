import type { Run } from '@labscale/schema';
import { examples } from '../api/example-answers';
import { Events } from '../api/example-events';
import { newestRun } from './newest-run';

const ended = examples<Run>('Run');
const publishing: Run = { ...ended, state: 'publishing', derivatives: null, finishedAt: null };

it('is the answer where no event tells of the run', async () => {
  const events = new Events();
  expect(await newestRun(events, async () => publishing)).toBe(publishing);
  expect(events.heard).toBe(false);
});

it('is what an event told where the answer comes after it, for that run alone', async () => {
  const events = new Events();
  const run = await newestRun(events, async () => {
    events.emit({ type: 'run', run: publishing });
    events.emit({ type: 'run', run: ended });
    events.emit({ type: 'run', run: { ...publishing, id: 'run-another' } });
    return publishing;
  });
  expect(run).toBe(ended);
});

it('listens no more where the operation is refused', async () => {
  const events = new Events();
  await expect(newestRun(events, () => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
  expect(events.heard).toBe(false);
});
