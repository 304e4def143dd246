import type { Operations, TaskCounts, TaskState } from '@labscale/schema';

/** Every task state with its place in the state arrays; the contract's own order, so that a new state fails to compile. */
const places: Record<TaskState, number> = {
  held: 0,
  waiting: 1,
  running: 2,
  succeeded: 3,
  reused: 4,
  failed: 5,
  stopped: 6
};
export const taskStateList = Object.keys(places) as readonly TaskState[];
export const statePlace = (state: TaskState): number => places[state];

type TaskStateAnswer = Operations['getTaskStates']['result'];

/** One byte a task: its place in `taskStateList`. Throws where the answer has a character that its codes do not name. */
export function parseTaskStates(answer: Pick<TaskStateAnswer, 'states' | 'codes'>): Uint8Array {
  const byCode = new Map<string, number>();
  for (const [state, code] of Object.entries(answer.codes)) {
    const place = places[state as TaskState];
    if (place !== undefined) byCode.set(code, place);
  }
  const states = new Uint8Array(answer.states.length);
  for (let index = 0; index < states.length; index += 1) {
    const place = byCode.get(answer.states[index] as string);
    if (place === undefined) throw new Error(`Task ${index} has the unknown state ${answer.states[index]}.`);
    states[index] = place;
  }
  return states;
}

/** Calls `each` with first and last index of every range of a text like `0-4,7`; what is no range is passed over. */
export function forEachRange(text: string, each: (first: number, last: number) => void): void {
  for (const part of text.split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match) each(Number(match[1]), Number(match[2] ?? match[1]));
  }
}

/** Brings `states` up to date in place with a `tasks` event; the indexes that changed, as ranges. */
export function applyTaskChanges(states: Uint8Array, changes: Readonly<Record<string, string>>): [number, number][] {
  const changed: [number, number][] = [];
  for (const [state, ranges] of Object.entries(changes)) {
    const place = places[state as TaskState];
    if (place === undefined) continue;
    forEachRange(ranges, (first, last) => {
      const end = Math.min(last, states.length - 1);
      if (first > end) return;
      states.fill(place, first, end + 1);
      changed.push([first, end]);
    });
  }
  return changed;
}

export function countTaskStates(states: Uint8Array): TaskCounts {
  const totals = new Array<number>(taskStateList.length).fill(0);
  for (const place of states) totals[place] = (totals[place] ?? 0) + 1;
  return Object.fromEntries(taskStateList.map((state, place) => [state, totals[place] ?? 0])) as TaskCounts;
}

/** Tasks that need nothing more: published ones and those given up. */
export function settledCount(counts: TaskCounts): number {
  return counts.succeeded + counts.reused + counts.failed + counts.stopped;
}

export function taskTotal(counts: TaskCounts): number {
  return taskStateList.reduce((sum, state) => sum + counts[state], 0);
}
