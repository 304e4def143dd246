/** Work of one pod: long enough that its start costs little, short enough that its death does. */
const secondsPerPod = 30;
/** While nothing was timed: what an unknown task is taken to last. */
const unknownSeconds = 3;
const mostTasksPerPod = 200;

/** How many tasks one pod does, one after another; `asked` where a person chose. */
export function packSize(
  tasks: number,
  secondsPerTask: number | null,
  maxPods: number,
  asked: number | null = null
): number {
  if (asked !== null) return Math.max(1, Math.min(asked, tasks));
  const seconds = Math.max(0.001, secondsPerTask ?? unknownSeconds);
  // All the pods that there may be at once get something to do before any gets more.
  const fillsAll = Math.ceil(tasks / maxPods);
  return Math.max(1, Math.min(mostTasksPerPod, Math.ceil(secondsPerPod / seconds), fillsAll));
}
