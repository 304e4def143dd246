import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lineage } from '@labscale/schema';
import {
  doublingNotebook,
  makeCommandAnalysis,
  makeDataset,
  makeNotebookAnalysis,
  makeSet,
  promote,
  runIn,
  shardName,
  until
} from './run-fixtures.js';
import { startTestServer, type TestServer } from './test-server.js';

let server: TestServer;
/** What the story below made, by the words that the tests use for it. */
const made: Record<string, string> = {};

/**
 * Numbers are cut to a snippet, on which `first` is tuned; `fork` is started from it. `run 1` takes first, `run 2` both, of
 * which it reuses the half; then a number is added, `run 3` reuses what it can. A second analysis sums what run 1 made.
 */
beforeAll(async () => {
  server = await startTestServer({ PATH: process.env['PATH'] ?? '' });
  const { call } = server;
  const numbers = await makeDataset(server, 3);
  made['numbers 1'] = numbers.latestVersion.id;
  const { id: snippetId } = await call('createSnippet', { body: { datasetVersionId: numbers.latestVersion.id } });
  made['snippet'] = snippetId;
  made['double 1'] = await makeNotebookAnalysis(server);
  const first = await call('createParameterSet', {
    body: {
      name: 'first',
      analysisVersionId: made['double 1'],
      values: { offset: 1 },
      provenance: { snippetId, datasetVersionId: numbers.latestVersion.id }
    }
  });
  made['first 1'] = first.latestVersion.id;
  const fork = await call('forkParameterSet', {
    params: { parameterSetId: first.id },
    body: { name: 'fork', values: { offset: 2 } }
  });
  made['fork 1'] = fork.latestVersion.id;

  const run = async (name: string, analysis: string, sets: string[], over: string, counts: object) => {
    const promotion = {
      analysisVersionId: made[analysis]!,
      parameterSetVersionIds: sets.map((set) => made[set]!),
      datasetVersionId: made[over]!
    };
    const { id } = await promote(server, promotion, undefined, name);
    const { derivatives, ...ended } = await runIn(server, id, 'succeeded');
    expect(ended.counts).toMatchObject(counts);
    made[name] = id;
    return derivatives!.datasetVersionId;
  };
  made['doubled 1'] = await run('run 1', 'double 1', ['first 1'], 'numbers 1', { succeeded: 3, reused: 0 });
  made['doubled 2'] = await run('run 2', 'double 1', ['first 1', 'fork 1'], 'numbers 1', { succeeded: 3, reused: 3 });
  await writeFile(join(server.project, 'numbers', shardName(3)), '3\n');
  const { id: versionId } = await call('createDatasetVersion', { params: { datasetId: numbers.id } });
  await until(
    () => call('getDatasetVersion', { params: { versionId } }),
    ({ indexing }) => indexing.state === 'ready'
  );
  made['numbers 2'] = versionId;
  made['doubled 3'] = await run('run 3', 'double 1', ['first 1'], 'numbers 2', { succeeded: 1, reused: 3 });
  made['sum'] = await makeCommandAnalysis(server, 'cat "$LABSCALE_INPUT"/* > "$LABSCALE_OUTPUT/sum.txt"');
  made['of sum'] = await makeSet(server, made['sum']);
  made['sums'] = await run('run 4', 'sum', ['of sum'], 'doubled 1', { succeeded: 3, reused: 0 });
});
afterAll(() => server.close());

const wordOf = (id: string) => Object.entries(made).find(([, one]) => one === id)?.[0] ?? id;

/** The edges as `from relation to`, in the words of the story; each end of each of them must be a node, and be there once. */
function told({ focus, nodes, edges }: Lineage): string[] {
  const ids = nodes.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(new Set([focus, ...edges.flatMap(({ from, to }) => [from, to])])).toEqual(new Set(ids));
  return edges.map(({ from, to, relation }) => `${wordOf(from)} ${relation} ${wordOf(to)}`).sort();
}
const lineageOf = async (word: string) => told(await server.call('getLineage', { params: { id: made[word]! } }));

const tuning = ['double 1 values-for first 1', 'numbers 1 cut-from snippet', 'snippet tuned-on first 1'];
const run1 = ['double 1 analysis run 1', 'first 1 parameters run 1', 'numbers 1 input run 1'];
const run2 = [
  'double 1 analysis run 2',
  'first 1 parameters run 2',
  'fork 1 parameters run 2',
  'numbers 1 input run 2'
];
const forking = ['double 1 values-for fork 1', 'first 1 forked-from fork 1'];
const versions = ['doubled 1 previous-version doubled 2', 'doubled 2 previous-version doubled 3'];
const summing = ['doubled 1 input run 4', 'run 4 made sums'];

describe('lineage', () => {
  test('of a run: what led to it and what came of it, and nothing of what else its sources led to', async () => {
    expect(await lineageOf('run 1')).toEqual(
      [...tuning, ...run1, 'run 1 made doubled 1', ...versions, ...summing].sort()
    );
  });

  test('of a run that reused has its own sources, and its tasks name the run that made what they took', async () => {
    expect(await lineageOf('run 2')).toEqual(
      [...tuning, ...forking, ...run2, 'run 2 made doubled 2', 'doubled 2 previous-version doubled 3'].sort()
    );
    const { items } = await server.call('listDerivatives', { params: { runId: made['run 2']! } });
    const reused = items.filter(({ reusedFrom }) => reusedFrom !== null);
    expect(reused.map(({ reusedFrom }) => wordOf(reusedFrom!.runId))).toEqual(['run 1', 'run 1', 'run 1']);
    // The latest run that published it is the one it is taken from; what is taken lies where it was made.
    const later = await server.call('listDerivatives', { params: { runId: made['run 3']! } });
    expect(later.items.map(({ reusedFrom }) => reusedFrom && wordOf(reusedFrom.runId))).toEqual([
      ...['run 2', 'run 2', 'run 2', null]
    ]);
    const { database } = server.metadata;
    const rows = await database
      .selectFrom('derivative')
      .select('madeByRunId')
      .where('runId', '=', made['run 3']!)
      .execute();
    expect(rows.map(({ madeByRunId }) => wordOf(madeByRunId)).sort()).toEqual(['run 1', 'run 1', 'run 1', 'run 3']);
  });

  test('of a run over a newer version has the version before it', async () => {
    expect(await lineageOf('run 3')).toEqual(
      [
        ...['double 1 analysis run 3', 'first 1 parameters run 3', 'numbers 2 input run 3', 'run 3 made doubled 3'],
        ...[...tuning, 'numbers 1 previous-version numbers 2']
      ].sort()
    );
  });

  test('of derivatives of derivatives goes back to the numbers', async () => {
    expect(await lineageOf('sums')).toEqual(
      [
        ...[...tuning, ...run1, 'run 1 made doubled 1', ...summing],
        ...['of sum parameters run 4', 'sum analysis run 4', 'sum values-for of sum']
      ].sort()
    );
  });

  test('of a dataset version: all that was made of it and of the version after it', async () => {
    expect(await lineageOf('numbers 1')).toEqual(
      [
        ...['numbers 1 cut-from snippet', 'snippet tuned-on first 1', 'first 1 forked-from fork 1'],
        ...['numbers 1 input run 1', 'numbers 1 input run 2', 'numbers 2 input run 3'],
        ...[
          'first 1 parameters run 1',
          'first 1 parameters run 2',
          'first 1 parameters run 3',
          'fork 1 parameters run 2'
        ],
        ...['run 1 made doubled 1', 'run 2 made doubled 2', 'run 3 made doubled 3'],
        ...['numbers 1 previous-version numbers 2', ...versions, ...summing]
      ].sort()
    );
    expect(await lineageOf('numbers 2')).toEqual(
      ['numbers 1 previous-version numbers 2', 'numbers 2 input run 3', 'run 3 made doubled 3'].sort()
    );
  });

  test('of a snippet, of a set that was forked, and of its fork', async () => {
    const uses = [
      ...[
        'first 1 forked-from fork 1',
        'first 1 parameters run 1',
        'first 1 parameters run 2',
        'first 1 parameters run 3'
      ],
      ...['fork 1 parameters run 2', 'run 1 made doubled 1', 'run 2 made doubled 2', 'run 3 made doubled 3'],
      ...[...versions, ...summing]
    ];
    expect(await lineageOf('snippet')).toEqual(
      ['numbers 1 cut-from snippet', 'snippet tuned-on first 1', ...uses].sort()
    );
    expect(await lineageOf('first 1')).toEqual([...tuning, ...uses].sort());
    expect(await lineageOf('fork 1')).toEqual(
      [
        ...[...tuning, ...forking, 'fork 1 parameters run 2', 'run 2 made doubled 2'],
        'doubled 2 previous-version doubled 3'
      ].sort()
    );
  });

  test('of an analysis version has its sets and runs', async () => {
    expect(await lineageOf('double 1')).toEqual(
      [
        ...['double 1 values-for first 1', 'double 1 values-for fork 1', 'first 1 forked-from fork 1'],
        ...['double 1 analysis run 1', 'double 1 analysis run 2', 'double 1 analysis run 3'],
        ...[
          'first 1 parameters run 1',
          'first 1 parameters run 2',
          'first 1 parameters run 3',
          'fork 1 parameters run 2'
        ],
        ...['run 1 made doubled 1', 'run 2 made doubled 2', 'run 3 made doubled 3', ...versions, ...summing]
      ].sort()
    );
  });

  test('agrees with itself: each step is told at both of its ends', async () => {
    const lineages = new Map<string, Lineage>();
    for (const id of Object.values(made)) lineages.set(id, await server.call('getLineage', { params: { id } }));
    const steps = [...lineages.values()].flatMap(({ edges }) => edges);
    expect(new Set(steps.map(({ relation }) => relation)).size).toBe(9);
    for (const edge of steps) {
      for (const end of [edge.from, edge.to]) expect(lineages.get(end)!.edges).toContainEqual(edge);
    }
  });

  test('tells names, numbers and what has a newer version', async () => {
    const { nodes } = await server.call('getLineage', { params: { id: made['run 1']! } });
    const byWord = Object.fromEntries(nodes.map((node) => [wordOf(node.id), node]));
    expect(byWord['numbers 1']).toMatchObject({
      noun: 'dataset-version',
      name: 'numbers',
      number: 1,
      superseded: true
    });
    expect(byWord['run 1']).toMatchObject({ noun: 'run', name: 'run 1', number: null, superseded: false });
    expect(byWord['doubled 1']).toMatchObject({ number: 1, superseded: true });
    expect(byWord['doubled 3']).toMatchObject({ number: 3, superseded: false });
    expect(byWord['snippet']).toMatchObject({ noun: 'snippet', parentId: byWord['numbers 1']!.parentId });
  });

  test('of versions of an analysis and of a set leads from each to the next', async () => {
    const analysisVersionId = await makeNotebookAnalysis(server, { path: 'versioned.ipynb' });
    const set = await server.call('createParameterSet', {
      body: { name: 'v', analysisVersionId, values: { offset: 1 } }
    });
    const next = await server.call('createAnalysis', {
      body: { kind: 'notebook', path: 'versioned.ipynb', notebook: doublingNotebook('print(2)') }
    });
    const changed = await server.call('createParameterSetVersion', {
      params: { parameterSetId: set.id },
      body: { analysisVersionId: next.latestVersion.id, values: { offset: 2 } }
    });
    const words = { 'a 1': analysisVersionId, 'a 2': next.latestVersion.id };
    Object.assign(made, words, { 'v 1': set.latestVersion.id, 'v 2': changed.latestVersion.id });
    const edges = [
      ...['a 1 previous-version a 2', 'a 1 values-for v 1', 'a 2 values-for v 2', 'v 1 previous-version v 2'].sort()
    ];
    expect(await lineageOf('a 1')).toEqual(edges);
    expect(await lineageOf('v 2')).toEqual(edges);
    // Only the first version of a fork is forked from anything.
    const fork = await server.call('forkParameterSet', {
      params: { parameterSetId: set.id },
      body: { name: 'w', versionId: set.latestVersion.id, values: { offset: 3 } }
    });
    const second = await server.call('createParameterSetVersion', {
      params: { parameterSetId: fork.id },
      body: { analysisVersionId, values: { offset: 4 } }
    });
    Object.assign(made, { 'w 1': fork.latestVersion.id, 'w 2': second.latestVersion.id });
    const forked = [
      ...['a 1 values-for v 1', 'a 1 values-for w 1', 'a 1 values-for w 2'],
      ...['v 1 forked-from w 1', 'w 1 previous-version w 2']
    ];
    expect(await lineageOf('w 2')).toEqual(forked);
    expect(await lineageOf('v 1')).toEqual([
      ...['a 1 values-for v 1', 'v 1 forked-from w 1', 'v 1 previous-version v 2', 'w 1 previous-version w 2']
    ]);
  });

  test('goes on without what was deleted', async () => {
    const { id: datasetId, latestVersion } = await makeDataset(server, 1, 'deleted');
    const { id: snippetId } = await server.call('createSnippet', { body: { datasetVersionId: latestVersion.id } });
    const provenance = { snippetId, datasetVersionId: latestVersion.id };
    const { id: parameterSetId, latestVersion: left } = await server.call('createParameterSet', {
      body: { name: 'left', analysisVersionId: made['sum']!, values: {}, provenance }
    });
    Object.assign(made, { gone: latestVersion.id, cut: snippetId, left: left.id });
    expect(await lineageOf('left')).toEqual(['cut tuned-on left', 'gone cut-from cut', 'sum values-for left']);
    await server.call('deleteDataset', { params: { datasetId } });
    expect(await lineageOf('left')).toEqual(['sum values-for left']);
    for (const id of [made['gone']!, made['cut']!]) {
      expect((await server.problem('getLineage', { params: { id } })).code).toBe('NOT_FOUND');
    }
    // What it was tuned on stays on record.
    const kept = await server.call('getParameterSetVersion', { params: { versionId: left.id } });
    expect(kept.provenance).toMatchObject(provenance);
    await server.call('deleteParameterSet', { params: { parameterSetId } });
    expect((await lineageOf('sum')).filter((edge) => edge.includes('left'))).toEqual([]);
  });

  test('is of versions, snippets and runs only, which is said', async () => {
    const { datasetId } = await server.call('getDatasetVersion', { params: { versionId: made['numbers 1']! } });
    expect(await server.problem('getLineage', { params: { id: datasetId } })).toMatchObject({
      code: 'REQUEST_INVALID',
      field: 'params/id',
      mend: 'Pass the id of a version, a snippet or a run.'
    });
    // Also where it is not theirs: nobody learns that it is there.
    expect(await server.problem('getLineage', { params: { id: datasetId }, as: 'ben' })).toMatchObject({
      code: 'NOT_FOUND'
    });
  });

  test('stays small where much was made of one thing: the newest', async () => {
    const { latestVersion } = await makeDataset(server, 1, 'much used');
    const snippets = [];
    for (let place = 0; place < 55; place++) {
      const body = { datasetVersionId: latestVersion.id, seed: place };
      snippets.push((await server.call('createSnippet', { body })).id);
    }
    const { nodes, edges } = await server.call('getLineage', { params: { id: latestVersion.id } });
    expect(edges).toHaveLength(50);
    expect(nodes.map(({ id }) => id).sort()).toEqual([latestVersion.id, ...snippets.slice(5)].sort());
  });
});
