/** Steps of a run at which a test may end the server as a power cut would; see `LABSCALE_FAULT_POINT` in config.ts. */
export const faultPointNames = [
  'before-intent',
  'after-intent',
  'before-submit',
  'after-submit',
  'after-started',
  'before-report',
  'after-report',
  'before-task-commit',
  'after-task-commit',
  'before-publish',
  'after-publishing-commit',
  'after-sync',
  'after-verify',
  'after-manifest',
  'before-final-commit',
  'after-final-commit'
] as const;
export type FaultPointName = (typeof faultPointNames)[number];

/** Called at each step; does nothing outside of tests. */
export type FaultPoint = (name: FaultPointName) => void;

export const noFault: FaultPoint = () => {};

/** Ends this process at the nth time that it comes by `name`; SIGKILL, so that nothing is tidied up. */
export function killAt(name: FaultPointName, nth: number): FaultPoint {
  let seen = 0;
  return (passed) => {
    if (passed === name && ++seen === nth) process.kill(process.pid, 'SIGKILL');
  };
}
