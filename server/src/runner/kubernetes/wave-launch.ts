import { hash } from 'node:crypto';
import type { Resources } from '@labscale/schema';
import { canonicalJson } from '../../metadata/canonical-json.js';
import type { ObjectStore } from '../../objects/object-store.js';
import type { RunOrder, TaskOrder } from '../runner.js';
import { jobOf, runLabel, specAnnotation, type Program, type StoreOfPods } from './job-manifest.js';
import { ClusterError, type Cluster, type Job } from './kubernetes-client.js';
import { packSize } from './pack-size.js';
import type { Profile } from './profile.js';
import { ordersKey, toPacks, writeOrders } from './wave-orders.js';

/** What the cluster will never take, however often it is asked. */
export class RefusedByCluster extends Error {}

/** Tasks of one Job: they ask for the same and are run the same way. */
export interface WavePlan {
  packs: TaskOrder[][];
  resources: Resources;
  program: Program;
}

/** A Job has one pod template: tasks that differ in it go apart. */
export function planWaves(
  order: RunOrder,
  tasks: readonly TaskOrder[],
  programOf: (task: TaskOrder) => Program,
  profile: Profile
): WavePlan[] {
  const groups = new Map<string, TaskOrder[]>();
  for (const task of tasks) {
    const { timeLimitSeconds, cpus, memoryBytes, gpus } = task.resources;
    const key = hash('sha256', canonicalJson([{ timeLimitSeconds, cpus, memoryBytes, gpus }, programOf(task)]));
    const group = groups.get(key);
    if (group) group.push(task);
    else groups.set(key, [task]);
  }
  return [...groups.values()].map((group) => ({
    packs: toPacks(group, packSize(group.length, order.secondsPerTask, profile.maxPods, order.shardsPerPod)),
    resources: group[0]!.resources,
    program: programOf(group[0]!)
  }));
}

export async function putOrders(objects: ObjectStore, runId: string, wave: number, plan: WavePlan): Promise<void> {
  await objects.put(ordersKey(runId, wave), writeOrders(plan.packs));
}

/** Creates the Job of a wave; where it is there already, the one that is there. Raises RefusedByCluster, ClusterError. */
export async function createJob(
  cluster: Cluster,
  profile: Profile,
  store: StoreOfPods,
  runId: string,
  wave: number,
  { packs, resources, program }: WavePlan
): Promise<Job> {
  const tasksPerPod = Math.max(...packs.map(({ length }) => length));
  const wanted = jobOf({ runId, wave, packs: packs.length, tasksPerPod, resources, program }, profile, store);
  const name = wanted.metadata?.name ?? '';
  try {
    return await cluster.createJob(wanted);
  } catch (error) {
    if (!(error instanceof ClusterError) || error.mayPass) throw error;
    if (error.status !== 409) {
      throw new RefusedByCluster(`The cluster refuses the Job of the run: ${error.message}`, { cause: error });
    }
    const there = await cluster.findJob(name);
    if (there === undefined) throw new ClusterError(0, '', `the Job ${name} was there and is gone`);
    const isSame =
      there.metadata?.labels?.[runLabel] === runId &&
      there.metadata.annotations?.[specAnnotation] === wanted.metadata?.annotations?.[specAnnotation];
    if (isSame) return there;
    throw new RefusedByCluster(
      `The cluster has a Job ${name} already that is not the one this run is to have. Delete it, then retry the run.`,
      { cause: error }
    );
  }
}
