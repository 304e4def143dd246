import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AnalysisVersion, ParameterValues, Promotion, Run } from '@labscale/schema';
import { pino } from 'pino';
import { newId } from '../src/metadata/ids.js';
import { StsRunCredentials, type IssuedCredentials } from '../src/objects/run-credentials.js';
import { S3ObjectStore } from '../src/objects/s3-object-store.js';
import { askSigned } from '../src/objects/signed-request.js';
import { KubernetesCluster } from '../src/runner/kubernetes/kubernetes-client.js';
import { KubernetesRunner } from '../src/runner/kubernetes/kubernetes-runner.js';
import { readProfile } from '../src/runner/kubernetes/profile.js';
import type { RunCredentials, RunInputs } from '../src/runner/kubernetes/run-secret.js';
import type { RunnerEvent } from '../src/runner/runner.js';
import { pushBusybox, writerOf } from './image-registry.js';
import { makeDataset, makeSet, objectsOf, promote, tasksOf, until } from './run-fixtures.js';
import { clusterEnvironment, describeWithCluster, kubectl, profileFields, storeSettings } from './test-cluster.js';
import { startTestServer, type TestServer } from './test-server.js';

/** The Job itself tries a lost pod again after 10, 20 and 40 s; a registry is given 120. */
const patienceMs = 400_000;
const usual = { cpus: 1, memoryBytes: 2 ** 26, timeLimitSeconds: 60, retries: 0, backoffSeconds: 0 };
const ended: Run['state'][] = ['succeeded', 'failed', 'stopped'];

describeWithCluster('a container analysis on a cluster', (cluster) => {
  const { podHost } = cluster.registry;
  const names = {
    shell: `labscale-test/shell-${process.pid}`,
    tool: `labscale-test/tool-${process.pid}`,
    gone: `labscale-test/gone-${process.pid}`
  };
  const digests: [string, string][] = [];
  let server: TestServer;

  async function startServer(): Promise<TestServer> {
    const folder = await mkdtemp(join(tmpdir(), 'labscale-profile-'));
    const environment = await clusterEnvironment(cluster, folder, {
      ...{ images: [`${podHost}/*`], scratchBytes: 2 ** 26, maxPods: 4 }
    });
    const started = await startTestServer({ ...environment, LABSCALE_REGISTRIES: `http://${podHost}` });
    await rm(folder, { recursive: true });
    return started;
  }
  async function push(name: string, config: object, files: Record<string, string> = {}): Promise<string> {
    const digest = await pushBusybox(podHost, name, config, files);
    digests.push([name, digest]);
    return digest;
  }

  beforeAll(async () => {
    await push(names.shell, {});
    await push(names.tool, { Entrypoint: ['/app/tool'], WorkingDir: '/app' }, { 'app/tool': toolScript });
    server = await startServer();
  }, patienceMs);
  afterAll(async () => {
    await server.close();
    for (const [name, digest] of digests)
      await writerOf(podHost)
        .removeManifest(name, digest)
        .catch(() => {});
  }, patienceMs);

  /** Writes its arguments as they came, then the place, the values and the shard. */
  const toolScript = [
    '#!/bin/sh',
    'for word in "$@"; do printf "%s\\0" "$word"; done > /out/arguments',
    'pwd > /out/place',
    'cp /params.json /out/params.json',
    'cp -r /in /out/shard'
  ].join('\n');

  let analyses = 0;
  async function analysisOf(more: object, resources: object = {}, outputs: object[] = []): Promise<AnalysisVersion> {
    const { latestVersion } = await server.call('createAnalysis', {
      body: {
        ...{ kind: 'container', name: `container ${++analyses}`, image: cluster.images.plain },
        ...{ contract: { resources: { ...usual, ...resources }, outputs } },
        ...more
      } as never
    });
    return latestVersion;
  }
  async function promotionOf(version: AnalysisVersion, values: ParameterValues[] = [{}], shards = 1) {
    const dataset = await makeDataset(server, shards, `data of ${version.analysisId}`);
    const parameterSetVersionIds: string[] = [];
    for (const [position, of] of values.entries()) {
      parameterSetVersionIds.push(await makeSet(server, version.id, of, `set ${analyses} ${position}`));
    }
    return {
      ...{ analysisVersionId: version.id, parameterSetVersionIds },
      datasetVersionId: dataset.latestVersion.id
    } satisfies Promotion;
  }
  /** A folder of the project, a shard a file, when all of it has been uploaded. */
  async function registered(path: string): Promise<string> {
    const { id: datasetId } = await server.call('createDataset', {
      body: { name: path, source: { kind: 'folder', path, layout: 'file-per-shard' } }
    });
    const { latestVersion } = await until(
      () => server.call('getDataset', { params: { datasetId } }),
      (dataset) => dataset.latestVersion.indexing.state === 'ready',
      patienceMs
    );
    return latestVersion.id;
  }
  const ends = async (runId: string, withinMs = patienceMs): Promise<Run> =>
    await until(
      () => server.call('getRun', { params: { runId } }),
      ({ state }) => ended.includes(state),
      withinMs
    );
  /** A run to its end of a script in a shell of the image. */
  async function runOf(script: string, resources: object = {}, outputs: object[] = [], more: object = {}) {
    const version = await analysisOf(
      { command: ['/bin/sh', '-c', script.replace(/[{}]/g, '$&$&')], ...more },
      resources,
      outputs
    );
    const { id } = await promote(server, await promotionOf(version));
    const run = await ends(id);
    const [task] = await tasksOf(server, id);
    return { run, task: task! };
  }
  const inShell = () => ({ image: `${podHost}/${names.shell}:1` });
  const inTool = () => ({ image: `${podHost}/${names.tool}:1` });
  const outputOf = async (runId: string, index: number, path: string): Promise<string> => {
    const [attempt] = (await server.call('listAttempts', { params: { runId, index } })).items.slice(-1);
    const key = `runs/${runId}/attempts/${index}/${attempt!.number}/out/${path}`;
    return (await objectsOf(server).get(key))?.toString() ?? `nothing in ${key}`;
  };
  const logOf = async (runId: string, attempt = 1) =>
    (await server.call('getLog', { params: { runId, index: 0, attempt } })).text;

  test(
    'is given the values of each set as they are, byte for byte, and what it wrote is published',
    async () => {
      const words = [
        '$(hostname)',
        '$(HOME) $$(HOME) $$',
        'a\nb\n',
        `it's "so"`,
        '{{}} {x}',
        '-rf',
        '',
        '`id`; é \u{1f9ea}'
      ];
      const script = 'for word in "$@"; do printf "%s\\0" "$word"; done > /out/arguments; cp -r /in /params.json /out';
      const version = await analysisOf({
        command: ['/bin/sh', '-c', script, 'tool', '--', ...words.map((_, n) => `{w${n}}`), 'of={w0}']
      });
      const values = [words, words.toReversed()].map((list) =>
        Object.fromEntries(list.map((word, n) => [`w${n}`, word]))
      );
      const promotion = await promotionOf(version, values, 2);
      const { id: runId } = await promote(server, promotion);
      const run = await ends(runId);
      expect(run).toMatchObject({ state: 'succeeded', counts: { succeeded: 4 } });
      const seen = new Set<string>();
      for (const { index, parameterSetVersionId, shardKey } of await tasksOf(server, runId)) {
        const position = promotion.parameterSetVersionIds.indexOf(parameterSetVersionId);
        const list = position === 0 ? words : words.toReversed();
        const said = await outputOf(runId, index, 'arguments');
        expect(said.split('\0')).toEqual(['--', ...list, `of=${list[0]}`, '']);
        expect(JSON.parse(await outputOf(runId, index, 'params.json'))).toEqual(values[position]);
        seen.add(`${position} ${await outputOf(runId, index, `in/${shardKey}`)}`);
      }
      expect([...seen].sort()).toEqual(['0 0\n', '0 1\n', '1 0\n', '1 1\n']);
    },
    patienceMs
  );

  test(
    'is told of where it did not write what was expected, or nothing',
    async () => {
      const missing = await runOf('echo 1 > /out/other', {}, [{ path: 'result.txt', required: true }]);
      expect(missing.task).toMatchObject({ exitKind: 'output-missing', reason: expect.stringContaining('result.txt') });
      const nothing = await runOf(':');
      expect(nothing.task).toMatchObject({
        exitKind: 'output-missing',
        reason: 'the program wrote nothing to its output folder'
      });
    },
    patienceMs
  );

  test(
    'that ends with an exit code shows it, with the last lines, and the log is there',
    async () => {
      const { run, task } = await runOf('echo first; echo "the last words" >&2; exit 3');
      expect(run.state).toBe('failed');
      expect(task).toMatchObject({ exitKind: 'exit-code', reason: 'the program ended with exit code 3' });
      const { items } = await server.call('listAttempts', { params: { runId: run.id, index: 0 } });
      expect(items).toMatchObject([{ exitCode: 3, published: false }]);
      const groups = await server.call('listFailures', { params: { runId: run.id } });
      expect(JSON.stringify(groups)).toContain('the last words');
      expect(await logOf(run.id)).toBe('first\nthe last words\n');
    },
    patienceMs
  );

  test(
    'as a BIDS App and as a plugin of ChRIS is given the arguments of its order',
    async () => {
      const run = async (more: object, values: ParameterValues) => {
        const { id } = await promote(server, await promotionOf(await analysisOf({ ...inTool(), ...more }), [values]));
        expect(await ends(id)).toMatchObject({ state: 'succeeded' });
        expect(await outputOf(id, 0, 'place')).toBe('/app\n');
        return (await outputOf(id, 0, 'arguments')).split('\0').slice(0, -1);
      };
      expect(await run({ adapter: 'bids-app', command: ['--scale', '{scale}'] }, { scale: 2 })).toEqual([
        '/in',
        '/out',
        'participant',
        '--scale',
        '2'
      ]);
      const parameters = [
        { name: 'text', type: 'string' },
        { name: 'on', type: 'boolean' }
      ];
      const chris = { adapter: 'chris', command: ['plugin'], contract: { resources: usual, parameters } };
      expect(await run(chris, { text: '-$(id)', on: true })).toEqual([
        'plugin',
        '--text=-$(id)',
        '--on',
        '/in',
        '/out'
      ]);
    },
    patienceMs
  );

  describe('that misbehaves', () => {
    test(
      'writes nowhere but where it may',
      async () => {
        const places = '/ /bin /etc /in /labscale-credentials /labscale/bin /labscale/turn';
        const script = `for to in ${places}; do echo x > $to/x; done; echo 1 > /params.json; echo x > /escaped`;
        const { run, task } = await runOf(script);
        expect(task).toMatchObject({ exitKind: 'exit-code', reason: 'the program ended with exit code 1' });
        const said = await logOf(run.id);
        for (const place of ['//x', '/bin/x', '/in/x', '/params.json', '/escaped']) {
          expect(said).toMatch(new RegExp(`${place}: Read-only file system`));
        }
      },
      patienceMs
    );

    test(
      'finds no keys, no account, no way to more rights, to the cluster or out of its network',
      async () => {
        const { run } = await runOf(probeScript(cluster.s3.podEndpoint, cluster.s3.bucket), {}, [], inShell());
        const said = async (path: string) => await outputOf(run.id, 0, path);
        expect(await said('ids')).toBe('1000 1000\n');
        expect((await said('rights')).replaceAll('\t', ' ')).toBe(
          ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((name) => `${name}: 0000000000000000\n`).join('') +
            'NoNewPrivs: 1\nSeccomp: 2\n'
        );
        expect(await said('secrets')).toBe('');
        expect(await said('processes')).toBe('');
        const environment = (await said('environment')).split('\n').map((line) => line.split('=')[0]);
        expect(environment.filter((name) => /LABSCALE|S3|KEY|TOKEN|SECRET/.test(name!))).toEqual([]);
        expect(await said('apiserver')).toMatch(/unreachable|timed out|refused/i);
        expect(await said('store')).toMatch(/403 Forbidden/);
        // Only the bridge: nothing that is sent elsewhere, as to 169.254.169.254, has a way. Asked of the table, not tried.
        expect((await said('routes')).trim().split('\n')).toHaveLength(2);
        expect(await said('routes')).not.toMatch(/^\S+\t00000000\t/m);
        // No plugin enforces policies here: what keeps pods from each other elsewhere is the manifest.
        const policy = await readFile('../hub-config/kubernetes/network-policy.yaml', 'utf8');
        expect(policy).toMatch(/policyTypes: \[Ingress, Egress\]\n {2}ingress: \[\]/);
        expect(policy).not.toMatch(/^ *- (\{\}|ipBlock)/m);
      },
      patienceMs
    );

    test(
      'forks without end, and only it ends',
      async () => {
        const { run, task } = await runOf('while :; do sleep 300 & done', { timeLimitSeconds: 20 });
        expect(run.state).toBe('failed');
        expect(task).toMatchObject({
          exitKind: 'out-of-memory',
          reason: expect.stringContaining('more than its 64 MiB')
        });
        const next = await runOf('echo 1 > /out/1');
        expect(next.run.state).toBe('succeeded');
      },
      patienceMs
    );

    test(
      'fills its disk: is put off its node, tried again as one that was lost, and told what it did',
      async () => {
        const { run, task } = await runOf('dd if=/dev/zero of=/out/big bs=1M count=120; sleep 110');
        expect(run.state).toBe('failed');
        expect(task).toMatchObject({
          attempts: 4,
          exitKind: 'disk-full',
          reason: expect.stringContaining('Its pod wrote more to its disk than the 64 MiB that it may.')
        });
        const { items } = await server.call('listAttempts', { params: { runId: run.id, index: 0 } });
        expect(items.map(({ state, published }) => [state, published])).toEqual(Array(4).fill(['lost', false]));
      },
      patienceMs
    );
  });

  test(
    'whose image has gone fails as that, in plain words and within minutes; what is no name is refused',
    async () => {
      const digest = await push(names.gone, { Entrypoint: ['/bin/true'] }, { 'app/only': 'here' });
      const version = await analysisOf({ image: `${podHost}/${names.gone}:1`, command: [] });
      await writerOf(podHost).removeManifest(names.gone, digest);
      const { id } = await promote(server, await promotionOf(version));
      const waiting = await until(
        () => server.call('getRun', { params: { runId: id } }),
        ({ headline }) => /image/.test(headline) && /cannot be had/.test(headline),
        patienceMs
      );
      expect(waiting.state).toBe('running');
      const run = await ends(id);
      expect(run.state).toBe('failed');
      expect(run.failure).toMatch(
        new RegExp(`^The image ${podHost}/${names.gone}@${digest} cannot be had: .*not found`)
      );
      const body = { kind: 'container', name: 'no name', image: `${podHost}/Not An Image` };
      expect(await server.problem('createAnalysis', { body })).toMatchObject({ code: 'IMAGE_INVALID' });
    },
    patienceMs
  );

  test(
    'gets a shard whose key has spaces, other scripts and the most bytes that a key may have',
    async () => {
      const keys = [`a b  c/${'é'.repeat(100)}/\u65e5\u672c.txt`, longKey(1_024), `-rf $(id) {x}'".txt`];
      for (const key of keys) {
        await mkdir(join(server.project, 'odd', key, '..'), { recursive: true });
        await writeFile(join(server.project, 'odd', key), key);
      }
      const datasetVersionId = await registered('odd');
      const version = await analysisOf({
        command: ['/bin/sh', '-c', 'find /in -type f -exec cat "{{}}" + > /out/key']
      });
      const { id } = await promote(server, {
        ...{ analysisVersionId: version.id, parameterSetVersionIds: [await makeSet(server, version.id)] },
        datasetVersionId
      });
      expect(await ends(id)).toMatchObject({ state: 'succeeded', counts: { succeeded: keys.length } });
      const tasks = await tasksOf(server, id);
      expect(tasks.map(({ shardKey }) => shardKey).sort()).toEqual([...keys].sort());
      for (const { index, shardKey } of tasks) expect(await outputOf(id, index, 'key')).toBe(shardKey);
    },
    patienceMs
  );

  test(
    'runs twice under names that differ after 63 characters only, each as itself',
    async () => {
      const runs = await Promise.all(
        ['a', 'b'].map(async (last) => {
          const version = await analysisOf({ command: ['/bin/sh', '-c', `echo ${last} > /out/last`] });
          return await promote(server, await promotionOf(version), undefined, `${'n'.repeat(80)}${last}`);
        })
      );
      for (const [position, { id }] of runs.entries()) {
        expect(await ends(id)).toMatchObject({ state: 'succeeded', name: `${'n'.repeat(80)}${'ab'[position]}` });
        expect(await outputOf(id, 0, 'last')).toBe(`${'ab'[position]}\n`);
      }
    },
    patienceMs
  );

  test('of thousands of shards is one Job with few pods', async () => {
    const count = 3_000;
    const version = await analysisOf({ command: ['/bin/cp', '-r', '/in', '/out'] }, { memoryBytes: 2 ** 27 });
    await mkdir(join(server.project, 'many'));
    for (let n = 0; n < count; n++) await writeFile(join(server.project, 'many', `n${n}.txt`), `${n}\n`);
    const { id } = await promote(server, {
      ...{ analysisVersionId: version.id, parameterSetVersionIds: [await makeSet(server, version.id)] },
      ...{ datasetVersionId: await registered('many'), shardsPerPod: 1_000 }
    });
    const admin = new KubernetesCluster(cluster.kubeconfig, cluster.namespace);
    const { jobs } = await until(
      () => admin.listJobs(`labscale.dev/run=${id}`),
      (found) => found.jobs.length > 0
    );
    expect(jobs.map(({ spec }) => spec?.completions)).toEqual([3]);
    expect(JSON.stringify(jobs[0]!.spec).length).toBeLessThan(10_000);
    const run = await ends(id, 600_000);
    expect(run).toMatchObject({ state: 'succeeded', counts: { succeeded: count }, derivatives: { shardCount: count } });
  }, 700_000);
});

describeWithCluster('the keys of a run on a cluster', (cluster) => {
  const settings = storeSettings(cluster);
  const objects = new S3ObjectStore(settings);

  /** Hands out the first keys for two minutes, as it says, and so that they alone can be taken back. */
  class ShortFirst implements RunCredentials {
    readonly issued: IssuedCredentials[] = [];
    readonly #real = new StsRunCredentials(settings);

    async issue(runId: string, inputs: RunInputs): Promise<IssuedCredentials> {
      const keys = await this.#real.issue(runId, inputs);
      if (this.issued.length === 0) keys.expiresAt = new Date(Date.now() + 120_000).toISOString();
      this.issued.push(keys);
      return keys;
    }
    revoke = (runId: string) => this.#real.revoke(runId);
  }
  const statusWith = async (keys: IssuedCredentials, path: string) => {
    const { endpoint, region } = settings;
    const { accessKey, secretKey, sessionToken } = keys;
    const signer = { endpoint, region, accessKey, secretKey, sessionToken };
    return (await askSigned(signer, { method: 'GET', path: `/${settings.bucket}/${path}` })).status;
  };

  test(
    'are written anew before they end, reach the pod, and open nothing after the run',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'labscale-profile-'));
      await writeFile(join(folder, 'profile.json'), JSON.stringify(profileFields(cluster)));
      const credentials = new ShortFirst();
      const runner = new KubernetesRunner(
        new KubernetesCluster(cluster.serverKubeconfig, cluster.namespace),
        readProfile(join(folder, 'profile.json')),
        { endpoint: settings.podEndpoint!, bucket: settings.bucket, region: settings.region, pathStyle: true },
        objects,
        credentials,
        pino({ level: 'silent' })
      );
      await rm(folder, { recursive: true });
      const heard: RunnerEvent[] = [];
      runner.onEvent((event) => heard.push(event));
      const runId = newId('run');
      const resources = { ...usual, timeLimitSeconds: 300 };
      const plan = {
        ...{ version: 1, runId, environmentDigest: 'sha256:0', warm: false, parameterSets: { 'pv-1': { values: {} } } },
        analysis: {
          ...{ versionId: 'av-1', digest: 'sha256:0', kind: 'command', files: [], kernel: null },
          ...{ command: ['sh', '-c', 'sleep 100; echo 1 > "$LABSCALE_OUTPUT/1.txt"'] },
          contract: { parameters: [], outputs: [], resources, warm: false }
        }
      };
      await objects.put(`runs/${runId}/plan.json`, Buffer.from(JSON.stringify(plan)));
      const order = {
        ...{ runId, name: 'a run', interpreter: 'python3', image: null, resources, tasks: 2 },
        ...{ secondsPerTask: null, shardsPerPod: 2 }
      };
      const shard = { key: 's', entities: {}, metadata: {}, digest: 'sha256:0', objects: [] };
      const task = (index: number) => ({ index, attempt: 1, parameterSetVersionId: 'pv-1', resources, shard });
      try {
        runner.submit(order, [task(0), task(1)]);
        await until(
          async () => credentials.issued.length,
          (count) => count === 2,
          patienceMs
        );
        const [first, second] = credentials.issued as [IssuedCredentials, IssuedCredentials];
        expect(second.accessKey).not.toBe(first.accessKey);
        const pods = await kubectl('get', 'pods', '--output=name', `--selector=labscale.dev/run=${runId}`);
        const file = '/labscale-credentials/credentials';
        // What a failure prints must not be keys.
        const isThere = async () =>
          (await kubectl('exec', pods.trim(), '--container=transfer', '--', 'cat', file)).includes(second.accessKey);
        await until(isThere, (there) => there, patienceMs);
        await until(
          async () => heard.filter(({ kind }) => kind === 'ended'),
          ({ length }) => length === 2,
          patienceMs
        );
        expect(heard.filter(({ kind }) => kind === 'gone' || kind === 'replaced')).toEqual([]);
        const path = `runs/${runId}/plan.json`;
        expect(await statusWith(second, path)).toBe(200);
        await runner.finish(runId);
        for (const keys of [first, second]) expect(await statusWith(keys, path)).toBe(403);
      } finally {
        await runner.stop(runId);
        await runner.close();
        await objects.deletePrefix(`runs/${runId}/`);
      }
    },
    2 * patienceMs
  );
});

/** A path of so many bytes, in parts that a file system takes. */
function longKey(bytes: number): string {
  const parts = Array.from({ length: Math.floor(bytes / 200) }, (_, n) => String(n).repeat(199));
  return `${parts.join('/')}/`.padEnd(bytes, 'x');
}

/** Writes what a hostile program sees to /out, in files; asks nobody but the store and the cluster. */
function probeScript(endpoint: string, bucket: string): string {
  const { host, hostname, port } = new URL(endpoint);
  return [
    '{ echo $(id -u) $(id -g); su -c id; } > /out/ids 2>/dev/null',
    'grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status > /out/rights',
    'ls /var/run/secrets /run/secrets /labscale-credentials > /out/secrets 2>/dev/null',
    'grep -i credentials /proc/[0-9]*/mounts /proc/[0-9]*/mountinfo >> /out/secrets 2>/dev/null',
    'grep -l -E "S3_|accessKey|LABSCALE_RUN" /proc/[0-9]*/environ > /out/processes 2>/dev/null',
    'find / -xdev -name "credentials*" -not -path "/proc/*" >> /out/secrets 2>/dev/null',
    'find /labscale -name "credentials*" >> /out/secrets 2>/dev/null',
    'env > /out/environment',
    'nc -w 3 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT < /dev/null > /out/apiserver 2>&1',
    `(printf "GET /${bucket}/ HTTP/1.0\\r\\nHost: ${host}\\r\\n\\r\\n"; sleep 3) | nc -w 3 ${hostname} ${port} > /out/store 2>&1`,
    'cat /proc/net/route > /out/routes'
  ].join('\n');
}
