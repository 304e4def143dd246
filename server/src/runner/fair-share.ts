/** What a task takes of the machine, or what the machine has. */
export interface Capacity {
  cpus: number;
  memoryBytes: number;
}

export function plus(a: Capacity, b: Capacity): Capacity {
  return { cpus: a.cpus + b.cpus, memoryBytes: a.memoryBytes + b.memoryBytes };
}

/** How many such tasks the machine holds at once; at least one. */
export function placesFor(task: Capacity, machine: Capacity): number {
  return Math.max(
    1,
    Math.min(Math.floor(machine.cpus / task.cpus), Math.floor(machine.memoryBytes / task.memoryBytes))
  );
}

/** A task larger than the whole machine runs alone. */
export function fits(task: Capacity, used: Capacity, machine: Capacity): boolean {
  if (used.cpus === 0 && used.memoryBytes === 0) return true;
  return used.cpus + task.cpus <= machine.cpus && used.memoryBytes + task.memoryBytes <= machine.memoryBytes;
}

/** The larger of the shares of CPUs and memory that something holds. */
export function dominantShare(used: Capacity, machine: Capacity): number {
  return Math.max(used.cpus / machine.cpus, used.memoryBytes / machine.memoryBytes);
}

export interface Contender {
  used: Capacity;
  /** What its next task takes. */
  next: Capacity;
  /** When it was last given a place; smaller is longer ago. */
  servedAt: number;
}

/**
 * Who gets the next free place: who holds the smallest share, among equals who has waited longest. Where that one's task
 * does not fit yet, nobody gets it: the place is kept, so that many small tasks never starve a large one.
 */
export function nextToServe<C extends Contender>(
  contenders: readonly C[],
  machine: Capacity,
  used: Capacity
): C | undefined {
  const share = (contender: C) => dominantShare(contender.used, machine);
  const [first] = [...contenders].sort((a, b) => share(a) - share(b) || a.servedAt - b.servedAt);
  return first !== undefined && fits(first.next, used, machine) ? first : undefined;
}
