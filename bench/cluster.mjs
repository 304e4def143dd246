import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clusterEnvironment, clusterFile } from '../scripts/cluster-environment.mjs';
import { followAudit, countRequests, serverAccount } from './audit.mjs';
import { kubernetesClient } from './kubernetes.mjs';
import { run } from './programs.mjs';
import { root } from './repository.mjs';

/** Where pods go that only pretend to run: see hub-config/test-cluster/kwok.mjs. */
export const onPretendedNodes = {
  nodeSelector: { type: 'kwok' },
  tolerations: [{ key: 'kwok.x-k8s.io/node', operator: 'Exists', effect: 'NoSchedule' }]
};
/** A node that is nowhere: its pods wait and cost nothing. */
export const onNoNode = { nodeSelector: { type: 'nowhere' }, tolerations: [] };

const gone = ({ type }) => type === 'DELETED';
const ended = ({ object }) =>
  object.status?.conditions?.find(({ type, status }) => /^(Complete|Failed)$/.test(type) && status === 'True')?.type;

/**
 * The test cluster as `npm run cluster -- up` left it, or an error that names the command. `pretended`: with the nodes of
 * KWOK. Gives its description, a client and one watch of its Jobs.
 */
export async function openCluster(atEnd, { pretended = false } = {}) {
  if (!existsSync(clusterFile)) throw new Error('there is no cluster: start one with `npm run cluster -- up`');
  if (pretended) await run('npm', ['run', '--silent', 'cluster', '--', 'up', '--kwok'], { cwd: root });
  const description = JSON.parse(readFileSync(clusterFile, 'utf8'));
  const client = await kubernetesClient(description);
  atEnd(client.close);
  const listeners = new Set();
  const failure = Promise.withResolvers();
  failure.promise.catch(() => {});
  const begun = new Map();
  const removed = new Map();
  const stopWatch = await client.watchJobs((news) => {
    if (news.type === 'ADDED') begun.set(news.object.metadata.name, news);
    if (gone(news)) removed.set(news.object.metadata.name, news.object);
    for (const listener of [...listeners]) listener(news);
  }, failure.reject);
  atEnd(stopWatch);

  /** The news of a Job that passes a test; `name` may match a pattern. */
  function news(isJob, test) {
    const heard = new Promise((resolve) => {
      const listener = (news) => {
        if (!isJob(news.object.metadata.name) || !test(news)) return;
        listeners.delete(listener);
        resolve(news);
      };
      listeners.add(listener);
    });
    const told = Promise.race([heard, failure.promise]);
    // It may be awaited much later than it fails.
    told.catch(() => {});
    return told;
  }

  return {
    ...description,
    client,
    kubectl: (...args) =>
      run(description.programs.kubectl, ['--kubeconfig', description.kubeconfig, '-n', description.namespace, ...args]),
    watchPods: (selector, hear) => client.watchPods(selector, hear, failure.reject),
    onJobs(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /** Resolves with the news that a Job is there, also where they came before this was asked. */
    async jobSeen(isJob) {
      const name = [...begun.keys()].find(isJob);
      return name === undefined ? await news(isJob, ({ type }) => type === 'ADDED') : begun.get(name);
    },
    /** Resolves with the news of its end; raises an error where it failed. */
    async jobComplete(isJob) {
      const heard = await news(isJob, (heard) => ended(heard) !== undefined || gone(heard));
      if (ended(heard) === 'Complete') return heard;
      throw new Error(`the Job ${heard.object.metadata.name} did not complete: ${JSON.stringify(heard.object.status)}`);
    },
    /** Resolves with a Job as it was at last, also where it has gone before this was asked. */
    async jobGone(isJob) {
      const name = [...removed.keys()].find(isJob);
      return name === undefined ? (await news(isJob, gone)).object : removed.get(name);
    },
    async removeJob(name) {
      const isGone = news((other) => other === name, gone);
      await client.deleteJob(name);
      await isGone;
    },
    /** Counts what the server asks of the apiserver from now on, for one run. */
    async countServerRequests() {
      const audit = await followAudit(description.auditLog);
      const since = Date.now();
      return async (runId) => countRequests(await audit.lines(), serverAccount, since, runId);
    },
    /** What stands beside every figure that a cluster is in. */
    async versions() {
      const { serverVersion } = JSON.parse(
        await run(description.programs.kubectl, [...['--kubeconfig', description.kubeconfig, 'version', '-o', 'json']])
      );
      return { kubernetes: serverVersion.gitVersion, controllerRate: description.apiRate };
    }
  };
}

/**
 * The variables of a labscale server on the cluster, with the administrator's profile changed by `profile` and the
 * variables by `more`.
 */
export function serverEnvironment(folder, { profile = {}, runner = 'kubernetes', more = {} } = {}) {
  const environment = clusterEnvironment(folder, { runner, objects: 'minio' });
  const file = join(folder, 'kubernetes-profile.json');
  if (existsSync(file)) {
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...profile }));
  }
  return { ...environment, ...more };
}

export const ofRun = (runId) => (name) => name.startsWith(`labscale-${runId}-`);
