import { nullTranslator } from '@jupyterlab/translation';
import type { Run } from '@labscale/schema';
import { examples } from '../api/example-answers';
import { countsText, runAbilities, settledPart } from './run-text';

const trans = nullTranslator.load('labscale');
const example = examples<Run>('Run');
const none = { held: 0, waiting: 0, running: 0, succeeded: 0, reused: 0, failed: 0, stopped: 0 };
const of = (change: Partial<Run>) =>
  runAbilities({ ...example, derivatives: null, trial: null, counts: none, ...change });

it('tells only the counts that there are', () => {
  expect(countsText({ ...none, succeeded: 1_240, failed: 2 }, trans)).toBe('1,240 done, 2 failed');
  expect(settledPart({ ...none, succeeded: 1, failed: 1, held: 2 })).toBe(0.5);
  expect(settledPart(none)).toBe(0);
});

it('offers what the state of the run allows', () => {
  expect(of({ state: 'running' })).toEqual({ stop: true, retry: false, release: false, publish: false });
  expect(of({ state: 'stopped', counts: { ...none, failed: 3, stopped: 1 } })).toEqual({
    stop: false,
    retry: false,
    release: false,
    publish: false
  });
  expect(of({ state: 'failed', counts: { ...none, failed: 3, succeeded: 1 } })).toEqual({
    stop: false,
    retry: true,
    release: false,
    publish: true
  });
  expect(of({ state: 'failed', counts: { ...none, failed: 3 } }).publish).toBe(false);
  const trial = { count: 4, released: false };
  expect(of({ state: 'awaiting-release', trial, counts: { ...none, held: 3, succeeded: 4 } })).toEqual({
    stop: true,
    retry: false,
    release: true,
    publish: false
  });
});

it('a published run is done with', () => {
  expect(runAbilities({ ...example, counts: { ...none, failed: 1, succeeded: 99 } })).toEqual({
    stop: false,
    retry: false,
    release: false,
    publish: false
  });
});
