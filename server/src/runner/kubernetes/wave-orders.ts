import type { ObjectStore } from '../../objects/object-store.js';
import type { AttemptName, TaskOrder } from '../runner.js';

/** A line of the header: 15 digits and a line feed. A pod knows where its two lines are without reading another. */
const lineBytes = 16;

export function ordersKey(runId: string, wave: number): string {
  return `runs/${runId}/waves/${wave}/orders`;
}

/** Tasks in the order in which they were given, so many to a pack. */
export function toPacks<T>(tasks: readonly T[], perPack: number): T[][] {
  return Array.from({ length: Math.ceil(tasks.length / perPack) }, (_, pack) =>
    tasks.slice(pack * perPack, (pack + 1) * perPack)
  );
}

/** The orders object: a header of packs + 1 offsets, the last of them its size, then `{"tasks":[...]}` for each pack. */
export function writeOrders(packs: readonly (readonly TaskOrder[])[]): Buffer {
  const bodies = packs.map((tasks) => Buffer.from(JSON.stringify({ tasks })));
  const offsets: number[] = [(packs.length + 1) * lineBytes];
  for (const body of bodies) offsets.push(offsets.at(-1)! + body.length);
  const header = offsets.map((offset) => `${String(offset).padStart(lineBytes - 1, '0')}\n`).join('');
  return Buffer.concat([Buffer.from(header), ...bodies]);
}

/** The packs of an orders object. Raises SyntaxError or RangeError where it is not one. */
export function readOrders(bytes: Buffer): TaskOrder[][] {
  const offsetAt = (line: number) => {
    const text = bytes.toString('latin1', line * lineBytes, (line + 1) * lineBytes);
    if (!/^\d{15}\n$/.test(text)) throw new RangeError(`line ${line} of the header of the orders cannot be read`);
    return Number(text);
  };
  const packs = offsetAt(0) / lineBytes - 1;
  if (!Number.isSafeInteger(packs) || packs < 1 || offsetAt(packs) !== bytes.length) {
    throw new RangeError('the header of the orders does not fit its size');
  }
  return Array.from({ length: packs }, (_, pack) => {
    const { tasks } = JSON.parse(bytes.toString('utf8', offsetAt(pack), offsetAt(pack + 1))) as { tasks: TaskOrder[] };
    return tasks;
  });
}

/** The numbers of the waves of a run whose orders are in the store, in order. */
export async function listWaves(objects: ObjectStore, runId: string): Promise<number[]> {
  const waves: number[] = [];
  // A list would walk the journals of all pods; waves are few and without gaps.
  for (let wave = 1; (await objects.head(ordersKey(runId, wave))) !== undefined; wave++) waves.push(wave);
  return waves;
}

export function namesOf(tasks: readonly TaskOrder[]): AttemptName[] {
  return tasks.map(({ index, attempt }) => ({ index, attempt }));
}
