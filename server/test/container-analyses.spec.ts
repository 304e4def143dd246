import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AnalysisVersion, Promotion } from '@labscale/schema';
import { DatasetFolders } from '../src/datasets/dataset-folder.js';
import { ObjectReader } from '../src/datasets/object-reader.js';
import type { Tables } from '../src/metadata/tables.js';
import { DataBuckets } from '../src/datasets/data-buckets.js';
import { LocalObjectStore } from '../src/objects/local-object-store.js';
import { ProblemError } from '../src/problem-error.js';
import { ImageEnvironment } from '../src/runner/kubernetes/image-environment.js';
import type { Profile } from '../src/runner/kubernetes/profile.js';
import { DerivativeRepository } from '../src/runs/derivative-repository.js';
import { RunOrders } from '../src/runs/run-orders.js';
import { RunPlanner } from '../src/runs/run-planner.js';
import { missingForRegistry, startRegistry, type ImageRegistry } from './image-registry.js';
import { makeDataset, makeSet } from './run-fixtures.js';
import { startTestServer, type TestServer } from './test-server.js';

const missing = missingForRegistry();
if (missing !== undefined) console.warn(`skipped: analyses of containers: ${missing}`);
const withRegistry = missing === undefined ? describe : describe.skip;

test('a server without a list of registries refuses every image, with the mend', async () => {
  const server = await startTestServer();
  const body = { kind: 'container', name: 'tool', image: '127.0.0.1:1/tool:1' };
  expect(await server.problem('createAnalysis', { body })).toMatchObject({
    code: 'REGISTRY_NOT_ALLOWED',
    field: 'body/image',
    mend: expect.stringContaining('LABSCALE_REGISTRIES') as string
  });
  await server.close();
});

withRegistry('analyses of containers', () => {
  let registry: ImageRegistry;
  let server: TestServer;
  let digest: string;
  beforeAll(async () => {
    registry = await startRegistry();
    server = await startTestServer({ LABSCALE_REGISTRIES: `http://${registry.host}` });
    digest = await registry.push('lab/tool:1', { Entrypoint: ['/bin/busybox'], Cmd: ['true'], WorkingDir: '/work' });
  });
  afterAll(async () => {
    await server.close();
    await registry.stop();
  });
  const reference = (name = 'lab/tool:1') => `${registry.host}/${name}`;
  const register = (more: object = {}) =>
    server.call('createAnalysis', {
      body: { kind: 'container', name: 'tool', image: reference(), ...more } as never
    });
  const refused = (more: object) =>
    server.problem('createAnalysis', { body: { kind: 'container', name: 'refused', image: reference(), ...more } });

  test('an image is resolved, and its command says which parameters there are', async () => {
    const { latestVersion, ...analysis } = await register({
      command: ['sum', '--scale={scale}', '{input}', '{output}']
    });
    expect(analysis).toMatchObject({ kind: 'container', name: 'tool', versionCount: 1 });
    expect(latestVersion).toMatchObject({
      ...{ kind: 'container', number: 1, path: null, kernel: null, files: [], adapter: 'plain' },
      command: ['sum', '--scale={scale}', '{input}', '{output}'],
      image: { reference: reference(), digest, entrypoint: ['/bin/busybox'], workingDirectory: '/work' }
    });
    expect(latestVersion.contract).toMatchObject({ parameters: [{ name: 'scale', type: 'any' }], warm: false });
    const params = { versionId: latestVersion.id };
    expect(await server.call('getAnalysisVersion', { params })).toEqual(latestVersion);
    expect(await server.problem('getAnalysisSource', { params })).toMatchObject({ code: 'NOT_FOUND' });
  });

  test("without a command it is the image's own; a BIDS App has none", async () => {
    expect((await register({ name: 'own' })).latestVersion.command).toEqual(['true']);
    expect((await register({ name: 'bids', adapter: 'bids-app' })).latestVersion.command).toEqual([]);
    await registry.push('bare:1', {});
    expect(await refused({ image: reference('bare:1') })).toMatchObject({
      ...{ code: 'CONTRACT_INVALID', field: 'body/command' }
    });
  });

  test('the same again is no version; another image, adapter or place is', async () => {
    await registry.push('lab/moving:1', { Cmd: ['true'] });
    const moving = (more: object = {}) => register({ name: 'moving', image: reference('lab/moving:1'), ...more });
    const first = await moving();
    expect(await moving()).toEqual(first);
    const next = await registry.push('lab/moving:1', { Cmd: ['false'] });
    const second = await moving();
    expect(second.latestVersion).toMatchObject({ number: 2, image: { digest: next }, command: ['false'] });
    const third = await moving({ adapter: 'chris' });
    expect(third.latestVersion.number).toBe(3);
    // The same image by its digest: what it made before serves still.
    const pinned = await moving({ adapter: 'chris', image: `${registry.host}/lab/moving@${next}` });
    expect(pinned.latestVersion).toMatchObject({ number: 4, digest: third.latestVersion.digest });
    const digests = [first, second, third].map(({ latestVersion }) => latestVersion.digest);
    expect(new Set(digests).size).toBe(3);
  });

  test('the contract can be edited, and is held against the command', async () => {
    const { id, latestVersion } = await register({ name: 'edited', command: ['sum', '{scale}'] });
    const contract = {
      ...latestVersion.contract,
      parameters: [{ name: 'scale', type: 'number' as const, default: 1 }]
    };
    const edited = await server.call('updateContract', { params: { analysisId: id }, body: contract });
    expect(edited).toMatchObject({ number: 2, image: latestVersion.image, adapter: 'plain', contract });
    const problem = (parameters: object[]) =>
      server.problem('updateContract', { params: { analysisId: id }, body: { ...contract, parameters } });
    expect((await problem([])).code).toBe('CONTRACT_INVALID');
    for (const name of ['input', 'output', 'params']) {
      expect((await problem([...contract.parameters, { name, type: 'any' }])).code).toBe('CONTRACT_INVALID');
    }
    // A later registration of the source keeps what was edited.
    expect((await register({ name: 'edited', command: ['sum', '{scale}'] })).latestVersion.contract).toEqual(contract);
  });

  test('what cannot be used is refused, and names the field', async () => {
    const codeAndField = async (more: object) => {
      const { code, field } = await refused(more);
      return [code, field];
    };
    expect(await codeAndField({ image: 'tool:1' })).toEqual(['IMAGE_INVALID', 'body/image']);
    expect(await codeAndField({ image: reference('lab/none:1') })).toEqual(['IMAGE_NOT_FOUND', 'body/image']);
    expect(await codeAndField({ image: '127.0.0.1:1/tool:1' })).toEqual(['REGISTRY_NOT_ALLOWED', 'body/image']);
    expect(await codeAndField({ command: ['{'] })).toEqual(['CONTRACT_INVALID', 'body/command/0']);
    // All tasks of a set have the same arguments: a shard is no place, and so it would be a parameter.
    expect(await codeAndField({ command: ['{shard}'], contract: { parameters: [] } })).toEqual([
      'CONTRACT_INVALID',
      'body/contract/parameters'
    ]);
    expect((await refused({ adapter: 'nipype' })).code).toBe('BODY_INVALID');
    expect((await refused({ files: [] })).code).toBe('BODY_INVALID');
  });

  async function promotionOf(name: string, more: object, values: object[]) {
    const { latestVersion } = await register({ name, ...more });
    const dataset = await makeDataset(server, 2, name);
    const sets: string[] = [];
    for (const of of values) sets.push(await makeSet(server, latestVersion.id, of as never, `${name} ${sets.length}`));
    const promotion: Promotion = {
      ...{ analysisVersionId: latestVersion.id, parameterSetVersionIds: sets },
      datasetVersionId: dataset.latestVersion.id
    };
    return { version: latestVersion, promotion };
  }
  /** A planner as a server with a cluster has it, whose administrator allows images by pattern. */
  const planner = (images = ['*']) =>
    new RunPlanner(
      server.metadata.database,
      server.services.access,
      new DerivativeRepository(server.metadata.database),
      new ImageEnvironment({ images } as Profile),
      { largestTask: { cpus: 64, memoryBytes: 2 ** 40, gpus: 16 }, places: () => 64 },
      'kubernetes'
    );

  test('an image that the administrator does not allow is refused by name', async () => {
    const { promotion } = await promotionOf('forbidden', {}, [{}]);
    const planned = planner(['registry.lab/*']).check({ name: 'ana' } as never, promotion, 'body');
    await expect(planned).rejects.toMatchObject({
      code: 'RUNNER_UNSUITED',
      detail: expect.stringMatching(/does not allow the image .*@sha256:/),
      more: { field: 'body/analysisVersionId' }
    });
  });

  test('the local runner refuses it before anything is written, with the mend', async () => {
    const { promotion } = await promotionOf('local', {}, [{}]);
    const expected = { code: 'RUNNER_UNSUITED', status: 422, mend: expect.stringContaining('kubernetes') as string };
    expect(await server.problem('createPlan', { body: promotion })).toMatchObject({
      ...{ ...expected, field: 'body/analysisVersionId' }
    });
    expect(await server.problem('createRun', { body: { promotion } })).toMatchObject({
      ...{ ...expected, field: 'body/promotion/analysisVersionId' }
    });
    expect((await server.call('listRuns')).total).toBe(0);
  });

  test('a plan has the image as its environment; values that no argument carries are refused', async () => {
    const { promotion } = await promotionOf('planned', { command: ['echo', '{text}'] }, [
      { text: 'a' },
      { text: 'b\0' }
    ]);
    const [good, bad] = promotion.parameterSetVersionIds;
    // Pods reach what lies in the store, as the data of such a server do.
    await server.metadata.database
      .updateTable('datasetVersion')
      .set({ rootJson: JSON.stringify({ kind: 'store' }) })
      .where('id', '=', promotion.datasetVersionId)
      .execute();
    const plan = await planner().plan(
      { name: 'ana' },
      { ...promotion, parameterSetVersionIds: [good!], shardsPerPod: 7 }
    );
    expect(plan).toMatchObject({ tasks: 2, runner: 'kubernetes', shardsPerPod: 7, environmentDigest: digest });
    await expect(planner().plan({ name: 'ana' }, promotion)).rejects.toMatchObject({
      code: 'PARAMETER_INVALID',
      more: { field: 'body/parameterSetVersionIds/1' }
    });
    expect(bad).toBeDefined();
    await expect(planner().plan({ name: 'ana' }, { ...promotion, resources: { cpus: 65 } })).rejects.toBeInstanceOf(
      ProblemError
    );
  });

  test('the plan of a run has finished arguments for each set, and every value', async () => {
    const values = [{ text: '$(id)' }, { text: "it's {x}\n" }];
    const more = {
      ...{ adapter: 'chris', command: ['plugin'] },
      contract: {
        parameters: [
          { name: 'text', type: 'string' },
          { name: 'on', type: 'boolean', default: true }
        ]
      }
    };
    const { version: saved, promotion } = await promotionOf('ordered', more, values);
    // A default that came after the values were saved.
    const later = { name: 'later', type: 'integer' as const, default: 3 };
    const version = await server.call('updateContract', {
      params: { analysisId: saved.analysisId },
      body: { ...saved.contract, parameters: [...saved.contract.parameters, later] }
    });
    const [first, second] = promotion.parameterSetVersionIds as [string, string];
    const runId = 'run-01mwq00099k7h2x9d4ra';
    await insertRun(runId, version, promotion);
    const objects = new LocalObjectStore(join(server.config.dataFolder, 'objects'));
    const folders = new DatasetFolders(server.project, server.config.dataFolder);
    const reader = new ObjectReader(folders, new DataBuckets(objects, null, new Map()), objects);
    await new RunOrders(server.metadata.database, objects, reader).writePlan(runId);
    const file = join(server.config.dataFolder, 'objects/runs', runId, 'plan.json');
    const plan = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    expect(plan).toMatchObject({
      analysis: {
        ...{ kind: 'container', adapter: 'chris', files: [], kernel: null, contract: version.contract },
        image: {
          ...{
            reference: `${registry.host}/lab/tool@${digest}`,
            entrypoint: ['/bin/busybox'],
            workingDirectory: '/work'
          }
        },
        argumentsBySet: {
          [first]: ['plugin', '--text', '$(id)', '--on', '--later', '3', '/in', '/out'],
          [second]: ['plugin', '--text', "it's {x}\n", '--on', '--later', '3', '/in', '/out']
        }
      },
      parameterSets: { [first]: { values: { text: '$(id)', on: true, later: 3 } } },
      environmentDigest: digest,
      warm: false
    });
  });

  async function insertRun(id: string, version: AnalysisVersion, promotion: Promotion): Promise<void> {
    const { database } = server.metadata;
    const row: Tables['run'] = {
      ...{ id, owner: 'ana', name: 'ordered', state: 'starting', filter: '', trialCount: null, trialReleased: 0 },
      ...{ analysisId: version.analysisId, analysisVersionId: version.id, datasetId: 'ds-x', shardsPerPod: null },
      ...{ datasetVersionId: promotion.datasetVersionId, resourcesJson: '{}', environmentJson: '{}', countsJson: '{}' },
      ...{ environmentDigest: version.image!.digest, taskCount: 4, publishPartial: 0, garbage: 0, failure: null },
      ...{ derivativesVersionId: null, createdAt: version.createdAt, startedAt: null, finishedAt: null }
    };
    await database.insertInto('run').values(row).execute();
    for (const [position, parameterSetVersionId] of promotion.parameterSetVersionIds.entries()) {
      await database
        .insertInto('runParameterSet')
        .values({ runId: id, position, owner: 'ana', parameterSetId: 'ps-x', parameterSetVersionId })
        .execute();
    }
  }
});
