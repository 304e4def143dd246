import { setTimeout as sleep } from 'node:timers/promises';
import type * as Client from '@kubernetes/client-node';

export type Job = Client.V1Job;
export type JobSpec = Client.V1JobSpec;
export type Pod = Client.V1Pod;
export type PodSpec = Client.V1PodSpec;
export type Container = Client.V1Container;
export type Volume = Client.V1Volume;
export type Secret = Client.V1Secret;
export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';
export type ClusterEvent = Client.CoreV1Event;

/** What the apiserver answered, or that it does not answer (status 0). */
export class ClusterError extends Error {
  constructor(
    readonly status: number,
    /** As `AlreadyExists`; empty where there was no answer. */
    readonly reason: string,
    message: string,
    cause?: unknown
  ) {
    super(message, { cause });
    this.name = 'ClusterError';
  }

  /** Whether another try may go better: no answer, too much asked at once, or a quota that is used up for now. */
  get mayPass(): boolean {
    const { status, message } = this;
    return status === 0 || status === 429 || status >= 500 || (status === 403 && message.includes('exceeded quota'));
  }
}

export interface JobNews {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  job: Job;
}

/** What the runner asks of one namespace of a cluster. Each raises ClusterError. */
export interface Cluster {
  readonly namespace: string;
  /** `dryRun`: passes admission, and nothing is kept. */
  createJob(job: Job, dryRun?: boolean): Promise<Job>;
  findJob(name: string): Promise<Job | undefined>;
  listJobs(selector: string): Promise<{ jobs: Job[]; resourceVersion: string }>;
  /** Resolves when the server or `signal` ends it; raises with status 410 where `resourceVersion` is too old. */
  watchJobs(
    selector: string,
    resourceVersion: string,
    hear: (news: JobNews) => void,
    signal: AbortSignal
  ): Promise<void>;
  /** Its pods go first, then the Job; nothing where there is none. */
  deleteJob(name: string): Promise<void>;
  /** `without`: phases of which none is wanted. */
  listPods(selector: string, limit: number, ...without: PodPhase[]): Promise<Pod[]>;
  listEventsOf(name: string): Promise<ClusterEvent[]>;
  /** Creates, or replaces the one that is there. */
  putSecret(secret: Secret): Promise<void>;
  deleteSecret(name: string): Promise<void>;
  /** Takes none of the connections any more that it has. */
  reconnect(): void;
}

const patienceMs = 15_000;
/** The client breaks a watch off after 30 s without a word; an apiserver ends one with a bookmark. */
const watchSeconds = 25;

interface Apis {
  batch: Client.BatchV1Api;
  core: Client.CoreV1Api;
  watch: Client.Watch;
}

/** One namespace, by a kubeconfig, or where there is none as a pod of the cluster itself or as kubectl would find it. */
export class KubernetesCluster implements Cluster {
  #connected: Promise<Apis> | undefined;

  constructor(
    private readonly kubeconfig: string | undefined,
    readonly namespace: string
  ) {}

  async createJob(job: Job, dryRun = false): Promise<Job> {
    const { namespace } = this;
    const options = dryRun ? { dryRun: 'All' } : {};
    return await this.#ask(({ batch }) => batch.createNamespacedJob({ namespace, body: job, ...options }));
  }

  async findJob(name: string): Promise<Job | undefined> {
    const { namespace } = this;
    return await orNothing(this.#ask(({ batch }) => batch.readNamespacedJob({ namespace, name })));
  }

  async listJobs(labelSelector: string): Promise<{ jobs: Job[]; resourceVersion: string }> {
    const { namespace } = this;
    const { items, metadata } = await this.#ask(({ batch }) => batch.listNamespacedJob({ namespace, labelSelector }));
    return { jobs: items, resourceVersion: metadata?.resourceVersion ?? '' };
  }

  async watchJobs(
    labelSelector: string,
    resourceVersion: string,
    hear: (news: JobNews) => void,
    signal: AbortSignal
  ): Promise<void> {
    const { watch } = await this.#apis();
    const path = `/apis/batch/v1/namespaces/${this.namespace}/jobs`;
    const query = { labelSelector, resourceVersion, allowWatchBookmarks: true, timeoutSeconds: watchSeconds };
    await new Promise<void>((resolve, reject) => {
      const end = (error: unknown) => {
        if (error == null || signal.aborted) resolve();
        else reject(asClusterError(error));
      };
      const take = (kind: string, object: unknown) => {
        const type = kind as JobNews['type'];
        const job = object as Job & { code?: number; reason?: string; message?: string };
        if (type === 'ERROR') end(new ClusterError(job.code ?? 500, job.reason ?? '', job.message ?? type));
        else hear({ type, job });
      };
      watch.watch(path, query, take, end).then((controller) => {
        if (signal.aborted) controller.abort();
        else signal.addEventListener('abort', () => controller.abort(), { once: true });
      }, end);
    });
  }

  async deleteJob(name: string): Promise<void> {
    const { namespace } = this;
    const options = { namespace, name, propagationPolicy: 'Foreground' };
    await orNothing(this.#ask(({ batch }) => batch.deleteNamespacedJob(options)));
  }

  async listPods(labelSelector: string, limit: number, ...without: PodPhase[]): Promise<Pod[]> {
    const { namespace } = this;
    const fieldSelector = without.map((phase) => `status.phase!=${phase}`).join(',');
    const options = { namespace, labelSelector, limit, fieldSelector };
    return (await this.#ask(({ core }) => core.listNamespacedPod(options))).items;
  }

  async listEventsOf(name: string): Promise<ClusterEvent[]> {
    const { namespace } = this;
    const fieldSelector = `involvedObject.name=${name}`;
    return (await this.#ask(({ core }) => core.listNamespacedEvent({ namespace, fieldSelector }))).items;
  }

  async putSecret(secret: Secret): Promise<void> {
    const { namespace } = this;
    try {
      await this.#ask(({ core }) => core.createNamespacedSecret({ namespace, body: secret }));
    } catch (error) {
      if (!(error instanceof ClusterError) || error.status !== 409) throw error;
      const name = secret.metadata?.name ?? '';
      await this.#ask(({ core }) => core.replaceNamespacedSecret({ namespace, name, body: secret }));
    }
  }

  async deleteSecret(name: string): Promise<void> {
    const { namespace } = this;
    await orNothing(this.#ask(({ core }) => core.deleteNamespacedSecret({ namespace, name })));
  }

  reconnect(): void {
    this.#connected = undefined;
  }

  async #ask<T>(ask: (apis: Apis) => Promise<T>): Promise<T> {
    const apis = await this.#apis();
    try {
      return await ask(apis);
    } catch (error) {
      const said = asClusterError(error);
      // A connection that lost its other side swallows what is asked next as well.
      if (said.status === 0) this.reconnect();
      throw said;
    }
  }

  async #apis(): Promise<Apis> {
    this.#connected ??= connect(this.kubeconfig);
    try {
      return await this.#connected;
    } catch (error) {
      this.#connected = undefined;
      throw asClusterError(error);
    }
  }
}

async function connect(kubeconfig: string | undefined): Promise<Apis> {
  // Five megabytes of code that a server on one machine never asks for.
  const client = await import('@kubernetes/client-node');
  const config = new client.KubeConfig();
  if (kubeconfig === undefined) config.loadFromDefault();
  else config.loadFromFile(kubeconfig);
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw new ClusterError(0, '', 'the kubeconfig names no cluster');
  let dispatcher: ReturnType<Client.RequestContext['getDispatcher']>;
  const configuration = client.createConfiguration({
    baseServer: new client.ServerConfiguration(server, {}),
    authMethods: {
      default: {
        getName: () => 'default',
        applySecurityAuthentication: async (request) => {
          await config.applySecurityAuthentication(request);
          // The client makes an agent, and with it a connection, for each request.
          dispatcher ??= request.getDispatcher();
          if (dispatcher !== undefined) request.setDispatcher(dispatcher);
          request.setSignal(AbortSignal.timeout(patienceMs));
        }
      }
    }
  });
  return {
    batch: new client.BatchV1Api(configuration),
    core: new client.CoreV1Api(configuration),
    watch: new client.Watch(config)
  };
}

async function orNothing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ClusterError && error.status === 404) return undefined;
    throw error;
  }
}

function asClusterError(error: unknown): ClusterError {
  if (error instanceof ClusterError) return error;
  const { code, statusCode, body, message, cause } = error as {
    code?: unknown;
    statusCode?: number;
    body?: unknown;
    message?: string;
    cause?: { message?: string };
  };
  // Errors of the network have codes too, some of them numbers.
  const status = body !== undefined && typeof code === 'number' ? code : (statusCode ?? 0);
  const answer = readStatus(body);
  const text = answer?.message ?? cause?.message ?? message ?? String(error);
  return new ClusterError(status, answer?.reason ?? '', text, error);
}

function readStatus(body: unknown): { reason?: string; message?: string } | undefined {
  if (typeof body !== 'string') return body as { reason?: string; message?: string } | undefined;
  try {
    return JSON.parse(body) as { reason?: string; message?: string };
  } catch {
    return { message: body.slice(0, 500) };
  }
}

/** A pause that grows, by chance longer or shorter, so that servers that failed together do not come back together. */
export async function pauseBefore(tryNumber: number, signal?: AbortSignal): Promise<void> {
  const ms = Math.min(30_000, 250 * 2 ** Math.min(tryNumber, 10)) * (0.5 + Math.random());
  await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {});
}
