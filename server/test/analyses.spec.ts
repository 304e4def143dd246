import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contract } from '@labscale/schema';
import { codeCell, notebookOf } from './notebooks.js';
import { startTestServer, testOnDisk, type TestServer } from './test-server.js';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.close());

const cell = 'sigma = 2.0  # width [mm], min 0, max 10\nname = "a"';
const register = (more: Record<string, unknown> = {}) =>
  server.call('createAnalysis', {
    body: { kind: 'notebook', path: 'nb/smooth.ipynb', notebook: notebookOf(cell), ...more }
  });
const refused = (more: Record<string, unknown>) =>
  server.problem('createAnalysis', {
    body: { kind: 'notebook', path: 'nb/smooth.ipynb', notebook: notebookOf(cell), ...more }
  });
const contractOf = (more: Partial<Contract> = {}): Contract => ({
  parameters: [{ name: 'sigma', type: 'number', default: 2 }],
  outputs: [],
  resources: { cpus: 1, memoryBytes: 1_073_741_824, timeLimitSeconds: 60, retries: 0, backoffSeconds: 0 },
  warm: true,
  ...more
});

describe('notebooks', () => {
  testOnDisk('are registered with what their cell says, and stored without outputs', async () => {
    const notebook = notebookOf(cell);
    const code = notebook.cells[2] as ReturnType<typeof codeCell>;
    code.outputs = [{ output_type: 'stream', name: 'stdout', text: 'secret' }];
    code.execution_count = 7;
    notebook.metadata['widgets'] = { state: 'large' };
    const analysis = await register({ notebook, files: [{ path: 'lib/a.py', text: 'x = 1\n' }] });
    expect(analysis).toMatchObject({
      name: 'smooth',
      owner: 'ana',
      kind: 'notebook',
      versionCount: 1,
      description: ''
    });
    expect(analysis.latestVersion).toMatchObject({
      number: 1,
      path: 'nb/smooth.ipynb',
      kernel: { name: 'python3', language: 'python' },
      command: null,
      files: ['lib/a.py'],
      contract: {
        parameters: [
          { name: 'sigma', type: 'number', default: 2, minimum: 0, maximum: 10, unit: 'mm' },
          { name: 'name', type: 'string', default: 'a' }
        ],
        outputs: [],
        resources: { cpus: 1, memoryBytes: 1_073_741_824, timeLimitSeconds: 3_600, retries: 1, backoffSeconds: 1 },
        warm: true
      }
    });
    const folder = join(server.config.dataFolder, 'objects/analyses', analysis.latestVersion.digest.slice(7));
    expect(readFileSync(join(folder, 'files/lib/a.py'), 'utf8')).toBe('x = 1\n');
    expect(readFileSync(join(folder, 'notebook.ipynb'), 'utf8')).not.toMatch(/secret|large/);
    const source = await server.call('getAnalysisSource', { params: { versionId: analysis.latestVersion.id } });
    expect(source.cells[2]).toMatchObject({ source: 'print(1)', outputs: [], execution_count: null });
    expect(await server.call('getAnalysis', { params: { analysisId: analysis.id } })).toEqual(analysis);
    expect(await server.call('getAnalysisVersion', { params: { versionId: analysis.latestVersion.id } })).toEqual(
      analysis.latestVersion
    );
  });

  test('running, looking and saving again make no version; what matters makes one', async () => {
    const first = await register();
    let seed = 20261121;
    const chance = () => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
    for (let round = 0; round < 30; round++) {
      const notebook = notebookOf(cell);
      for (const [index, each] of notebook.cells.entries()) {
        each.id = `other-${round}-${index}`;
        if (chance() < 0.5) each.metadata = { ...each.metadata, collapsed: true, execution: { started: chance() } };
        if (chance() < 0.5) each.source = String(each.source).split(/(?<=\n)/);
        if (each.cell_type !== 'code') continue;
        const code = each as ReturnType<typeof codeCell>;
        code.execution_count = Math.floor(chance() * 99);
        code.outputs = [{ output_type: 'stream', name: 'stdout', text: String(chance()) }];
      }
      notebook.metadata['widgets'] = { chance: chance() };
      (notebook.metadata['language_info'] as Record<string, unknown>)['version'] = `3.${round}`;
      (notebook.metadata['kernelspec'] as Record<string, unknown>)['display_name'] = `Python ${round}`;
      notebook.nbformat_minor = round % 6;
      if (chance() < 0.5) notebook.cells.push(codeCell('  \n'));
      expect((await register({ notebook })).latestVersion).toEqual(first.latestVersion);
    }
    const changes: Record<string, unknown>[] = [
      { notebook: notebookOf(cell, 'print(2)') },
      { notebook: notebookOf(cell, 'print(1)', { kernel: 'other' }) },
      { files: [{ path: 'a.py', text: '' }] },
      { files: [{ path: 'a.py', text: ' ' }] },
      { contract: { outputs: [{ path: 'out.npy', required: true }] } },
      { contract: { warm: false } }
    ];
    const digests = new Set([first.latestVersion.digest]);
    for (const change of changes) digests.add((await register(change)).latestVersion.digest);
    expect(digests.size).toBe(changes.length + 1);
    expect((await server.call('getAnalysis', { params: { analysisId: first.id } })).versionCount).toBe(
      changes.length + 1
    );
    const moved = notebookOf(cell);
    moved.cells[2]!.metadata = { tags: ['x'] };
    expect(digests).not.toContain((await register({ notebook: moved })).latestVersion.digest);
  });

  test('another value in the tagged cell keeps the digest; another parameter or import does not', async () => {
    const { digest } = (await register()).latestVersion;
    const digestOf = async (source: string) => (await register({ notebook: notebookOf(source) })).latestVersion.digest;
    expect(await digestOf(cell.replace('2.0', '3.0'))).toBe(digest);
    expect(await digestOf(`${cell}\nmore = 1`)).not.toBe(digest);
    expect(await digestOf(`import math\n${cell}`)).not.toBe(digest);
  });

  test('resources and help make a version with the digest that was, so that derivatives are reused', async () => {
    const first = await register();
    const second = await register({ contract: { resources: { ...first.latestVersion.contract.resources, cpus: 2 } } });
    expect(second.latestVersion).toMatchObject({ number: 2, digest: first.latestVersion.digest });
    expect(second.latestVersion.contract.resources.cpus).toBe(2);
  });

  test('edits of the contract outlive the next registration of the same notebook', async () => {
    const first = await register();
    const contract = structuredClone(first.latestVersion.contract);
    contract.parameters[0] = { ...contract.parameters[0]!, maximum: 5, description: 'edited' };
    contract.parameters[1] = { ...contract.parameters[1]!, enum: ['a', 'b'] };
    contract.outputs = [{ path: '*.npy', required: true }];
    const edited = await server.call('updateContract', { params: { analysisId: first.id }, body: contract });
    expect(edited).toMatchObject({ number: 2, contract });
    expect(await server.call('updateContract', { params: { analysisId: first.id }, body: contract })).toEqual(edited);
    expect((await register()).latestVersion).toEqual(edited);
    const source = await server.call('getAnalysisSource', { params: { versionId: edited.id } });
    expect(source.cells).toHaveLength(3);

    const next = await register({
      notebook: notebookOf('sigma = 3.0  # new help [px], min 1, max 9\nname = "b"\nk = 1')
    });
    expect(next.latestVersion.contract).toEqual({
      ...contract,
      parameters: [
        { name: 'sigma', type: 'number', default: 3, minimum: 1, maximum: 5, unit: 'px', description: 'edited' },
        { name: 'name', type: 'string', default: 'b', enum: ['a', 'b'] },
        { name: 'k', type: 'integer', default: 1 }
      ]
    });
  });

  test('two registrations at once give one analysis and no error', async () => {
    const made = await Promise.all(
      Array.from({ length: 8 }, (_, n) => register({ notebook: notebookOf(cell, `${n % 4}`) }))
    );
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    const versions = await server.call('listAnalysisVersions', { params: { analysisId: made[0]!.id } });
    expect(versions.items.map(({ number }) => number)).toEqual(versions.items.map((_, n) => versions.total - n));
  });

  test('inspection tells the contract, the kernel and the cell, or that there is none', async () => {
    const found = await server.call('inspectNotebook', { body: { notebook: notebookOf('n = 1') } });
    expect(found).toMatchObject({ contract: { parameters: [{ name: 'n' }], warm: true }, cellIndex: 1 });
    const none = notebookOf(null);
    none.metadata = {};
    expect(await server.call('inspectNotebook', { body: { notebook: none } })).toMatchObject({
      contract: { parameters: [] },
      kernel: null,
      cellIndex: null
    });
    const alias = notebookOf(null);
    alias.cells[1]!.metadata = { tags: ['pipeline-parameters'] };
    alias.cells[1]!.source = 'k = 2';
    expect((await server.call('inspectNotebook', { body: { notebook: alias } })).contract.parameters).toHaveLength(1);
    const julia = notebookOf('k = 2', '', { language: 'Julia', kernel: 'julia-1.11' });
    expect(await server.call('inspectNotebook', { body: { notebook: julia } })).toMatchObject({
      contract: { warm: false },
      kernel: { name: 'julia-1.11', language: 'julia' }
    });
  });

  test('without a parameters cell: refused with the mend, unless no parameters are meant', async () => {
    const problem = await refused({ notebook: notebookOf(null) });
    expect(problem).toMatchObject({ code: 'NOTEBOOK_WITHOUT_PARAMETERS', field: 'body/notebook' });
    expect(problem.mend).toContain('contract.parameters');
    expect(
      (await register({ notebook: notebookOf(null), contract: { parameters: [] } })).latestVersion.contract.parameters
    ).toEqual([]);
    const some = contractOf().parameters;
    expect((await refused({ notebook: notebookOf(null), contract: { parameters: some } })).code).toBe(
      'NOTEBOOK_WITHOUT_PARAMETERS'
    );
  });

  test.each([
    ['PARAMETERS_CELL_INVALID', notebookOf('a = 1\nsigma = (2')],
    ['PARAMETERS_CELL_INVALID', notebookOf('class = 1')],
    ['PARAMETERS_CELL_INVALID', notebookOf('__proto__ = 1')],
    ['NOTEBOOK_INVALID', { ...notebookOf('a = 1'), nbformat: 3 }],
    ['NOTEBOOK_INVALID', { ...notebookOf('a = 1'), cells: [7] }],
    ['NOTEBOOK_INVALID', { ...notebookOf('a = 1'), cells: [{ cell_type: 'code', metadata: {}, source: 7 }] }],
    ['BODY_INVALID', { ...notebookOf('a = 1'), cells: {} }]
  ])('%s', async (code, notebook) => {
    const problem = await refused({ notebook });
    expect(problem.code).toBe(code);
    expect(problem.field).toMatch(/notebook/);
  });

  test.each(['/abs.ipynb', '../up.ipynb', 'a/../../b.ipynb', 'a//b.ipynb', './a.ipynb', 'C:\\a.ipynb', 'a\nb'])(
    'a notebook at %j is refused',
    async (path) => {
      expect(await refused({ path })).toMatchObject({ code: 'PATH_INVALID', field: 'body/path' });
    }
  );

  test.each([
    [['../up.py']],
    [['/etc/passwd']],
    [['a/../../b']],
    [['a\\b']],
    [['a', 'a']],
    [['a', 'a/b']],
    [['x\u0000y']],
    [['é'.repeat(500)]]
  ])('bundled files %j are refused', async (paths) => {
    const problem = await refused({ files: paths.map((path) => ({ path, text: '' })) });
    expect(problem.code).toBe('PATH_INVALID');
    expect(problem.field).toMatch(/^body\/files\/\d\/path$/);
    expect(existsSync(join(server.config.dataFolder, 'objects/analyses'))).toBe(false);
  });
});

describe('commands', () => {
  const command = (more: Record<string, unknown> = {}) => ({
    body: { kind: 'command', name: 'count', command: ['wc', '-l', '{input}', '--n={n}', '{{literal}}'], ...more }
  });

  test('take the names in braces as parameters', async () => {
    const analysis = await server.call('createAnalysis', command());
    expect(analysis.latestVersion).toMatchObject({
      kind: 'command',
      kernel: null,
      path: null,
      command: ['wc', '-l', '{input}', '--n={n}', '{{literal}}'],
      contract: { parameters: [{ name: 'n', type: 'any' }], warm: false }
    });
    expect(await server.call('createAnalysis', command())).toEqual(analysis);
    const next = await server.call('createAnalysis', command({ command: ['wc', '{m}'] }));
    expect(next).toMatchObject({
      id: analysis.id,
      versionCount: 2,
      latestVersion: { contract: { parameters: [{ name: 'm' }] } }
    });
    const problem = await server.problem('getAnalysisSource', { params: { versionId: next.latestVersion.id } });
    expect(problem.code).toBe('NOT_FOUND');
  });

  test.each([
    [{ command: ['x{'] }],
    [{ command: ['{a b}'] }],
    [{ contract: { parameters: [] } }],
    [
      {
        contract: {
          parameters: [
            { name: 'n', type: 'any' },
            { name: 'input', type: 'any' }
          ]
        }
      }
    ]
  ])('%j is refused', async (more) => {
    expect((await server.problem('createAnalysis', command(more))).code).toBe('CONTRACT_INVALID');
  });

  test('renaming moves the place, and never onto another', async () => {
    const first = await server.call('createAnalysis', command());
    await server.call('createAnalysis', command({ name: 'other' }));
    const params = { analysisId: first.id };
    expect(await server.problem('updateAnalysis', { params, body: { name: 'other' } })).toMatchObject({
      code: 'NAME_TAKEN',
      field: 'body/name'
    });
    expect((await server.call('updateAnalysis', { params, body: { name: 'third', description: 'd' } })).name).toBe(
      'third'
    );
    expect((await server.call('createAnalysis', command({ name: 'third' }))).id).toBe(first.id);
  });
});

describe('contracts', () => {
  const parameter = (more: object) => contractOf({ parameters: [{ name: 'sigma', type: 'number', ...more }] });
  test.each([
    ['parameters/1/name', contractOf({ parameters: [...contractOf().parameters, ...contractOf().parameters] })],
    ['parameters/0/name', contractOf({ parameters: [{ name: 'class', type: 'any' }] })],
    ['parameters/0/name', contractOf({ parameters: [{ name: 'constructor', type: 'any' }] })],
    ['parameters/0/default', parameter({ default: 11, maximum: 10 })],
    ['parameters/0/default', parameter({ default: -1, minimum: 0 })],
    ['parameters/0/default', parameter({ default: 'x' })],
    ['parameters/0/default', parameter({ default: null })],
    ['parameters/0/default', parameter({ default: 3, enum: [1, 2] })],
    ['parameters/0/enum/1', parameter({ enum: [1, 'x'] })],
    ['parameters/0/minimum', parameter({ minimum: 3, maximum: 2 })],
    ['parameters/0/minimum', contractOf({ parameters: [{ name: 'a', type: 'string', minimum: 1 }] })],
    ['outputs/0/path', contractOf({ outputs: [{ path: '../x', required: true }] })],
    ['outputs/0/path', contractOf({ outputs: [{ path: '/x', required: true }] })],
    [
      'outputs/1/path',
      contractOf({
        outputs: [
          { path: 'x', required: true },
          { path: 'x', required: false }
        ]
      })
    ]
  ])('%s is refused', async (field, contract) => {
    const analysis = await register();
    const problem = await server.problem('updateContract', { params: { analysisId: analysis.id }, body: contract });
    expect(problem).toMatchObject({ code: 'CONTRACT_INVALID', field: `body/contract/${field}` });
    expect(problem.mend).toBeTruthy();
    expect((await refused({ contract })).code).toBe('CONTRACT_INVALID');
  });

  test('a default outside of an edited range is refused when the notebook changes', async () => {
    const { id, latestVersion } = await register();
    const contract = structuredClone(latestVersion.contract);
    contract.parameters[0]!.maximum = 3;
    await server.call('updateContract', { params: { analysisId: id }, body: contract });
    const problem = await refused({ notebook: notebookOf('sigma = 5.0\nname = "a"') });
    expect(problem).toMatchObject({ code: 'CONTRACT_INVALID', field: 'body/contract/parameters/0/default' });
  });
});

test('lists: search, path, pages, and nothing of others', async () => {
  for (const name of ['alpha', 'beta', 'gamma']) {
    await register({ path: `${name}.ipynb`, description: name === 'beta' ? '100% sure' : 'plain_text' });
  }
  const list = (query: Record<string, string | number> = {}, as: 'ana' | 'ben' = 'ana') =>
    server.call('listAnalyses', { query, as });
  expect((await list()).items.map(({ name }) => name)).toEqual(['gamma', 'beta', 'alpha']);
  expect((await list({ search: 'BETA sure' })).items).toHaveLength(1);
  expect((await list({ search: '0%' })).total).toBe(1);
  expect((await list({ search: '%' })).total).toBe(1);
  expect((await list({ search: 'n_t' })).total).toBe(2);
  expect((await list({ path: 'alpha.ipynb' })).items.map(({ name }) => name)).toEqual(['alpha']);
  expect((await list({}, 'ben')).total).toBe(0);
  const one = await list({ limit: 2 });
  expect(one).toMatchObject({ total: 3, nextCursor: expect.any(String) });
  const two = await list({ limit: 2, cursor: one.nextCursor! });
  expect(two).toMatchObject({ total: 3, nextCursor: null, items: [{ name: 'alpha' }] });
  expect((await server.problem('listAnalyses', { query: { cursor: 'nonsense' } })).code).toBe('CURSOR_INVALID');
  const other = await server.problem('getAnalysis', { params: { analysisId: one.items[0]!.id }, as: 'ben' });
  expect(other.code).toBe('NOT_FOUND');
});
