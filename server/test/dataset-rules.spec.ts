import { entitiesOfFile, entitiesOfFolder } from '../src/datasets/bids-name.js';
import { TableFault, parseTable } from '../src/datasets/delimited-text.js';
import { PathPattern } from '../src/datasets/path-pattern.js';
import { layOut } from '../src/datasets/shard-layout.js';
import { shardDigest } from '../src/datasets/stored-shard.js';
import { parseRange } from '../src/http/byte-range.js';
import { ProblemError } from '../src/problem-error.js';

const codeOf = async (act: () => unknown) => {
  try {
    await act();
  } catch (error) {
    if (error instanceof ProblemError) return error.code;
    throw error;
  }
  return undefined;
};
const found = (...paths: string[]) => paths.map((path) => ({ path, sizeBytes: 1, modifiedNs: '1' }));
const shardsOf = async (pattern: string, ...paths: string[]) =>
  [...(await layOut(found(...paths), { layout: 'pattern', pattern })).shards()].map(({ key, entities, files }) => ({
    key,
    entities,
    paths: files.map(({ path }) => path)
  }));

describe('names in the manner of BIDS', () => {
  test.each<[string, Record<string, string>]>([
    [
      'sub-01/ses-1/func/sub-01_ses-1_task-rest_bold.nii.gz',
      { sub: '01', ses: '1', task: 'rest', suffix: 'bold', extension: '.nii.gz' }
    ],
    ['digit-3_batch-01.npy', { digit: '3', batch: '01', extension: '.npy' }],
    ['sub-01/scan.nii', { sub: '01' }],
    ['sub-01/sub-02_T1w.nii', { sub: '02', suffix: 'T1w', extension: '.nii' }],
    ['plain.csv', {}],
    ['2024-01-02_x.csv', {}],
    ['sub-01_sub-02_T1w.nii', {}],
    ['sub-01_a_b.nii', {}],
    ['sub-01', { sub: '01' }]
  ])('file %s', (path, entities) => {
    expect(entitiesOfFile(path)).toEqual(entities);
  });
  test('folders', () => {
    expect(entitiesOfFolder('window-1700')).toEqual({ window: '1700' });
    expect(entitiesOfFolder('sub-01_ses-2/run-1')).toEqual({ sub: '01', ses: '2', run: '1' });
    expect(entitiesOfFolder('plain/folder')).toEqual({});
  });
});

describe('patterns', () => {
  test('named groups become entities; a group that comes twice is the same text', async () => {
    expect(
      await shardsOf(
        'sub-{sub}/anat/sub-{sub}_{suffix}.nii',
        'sub-01/anat/sub-01_T1w.nii',
        'sub-01/anat/sub-02_T1w.nii',
        'sub-02/anat/sub-02_run-1_T2w.nii',
        'sub-02/func/sub-02_bold.nii'
      )
    ).toEqual([
      { key: 'sub-01/anat/sub-01_T1w.nii', entities: { sub: '01', suffix: 'T1w' }, paths: ['sub-01_T1w.nii'] },
      {
        key: 'sub-02/anat/sub-02_run-1_T2w.nii',
        entities: { sub: '02', suffix: 'run-1_T2w' },
        paths: ['sub-02_run-1_T2w.nii']
      }
    ]);
  });
  test('files that differ only in * form one shard', async () => {
    expect(await shardsOf('{window}/*.csv', 'w1/a.csv', 'w1/b.csv', 'w2/a.csv')).toEqual([
      { key: 'w1', entities: { window: 'w1' }, paths: ['a.csv', 'b.csv'] },
      { key: 'w2', entities: { window: 'w2' }, paths: ['a.csv'] }
    ]);
    expect(await shardsOf('sub-{sub}_*.nii', 'sub-1_a.nii', 'sub-1_b.nii')).toEqual([
      { key: 'sub-1.nii', entities: { sub: '1' }, paths: ['sub-1_a.nii', 'sub-1_b.nii'] }
    ]);
    expect(await shardsOf('sub-{sub}/*/scan.nii', 'sub-1/x/scan.nii', 'sub-1/y/scan.nii')).toEqual([
      { key: 'sub-1/scan.nii', entities: { sub: '1' }, paths: ['x/scan.nii', 'y/scan.nii'] }
    ]);
    expect((await shardsOf('*_{run}.nii', 'a_1.nii', 'b_1.nii', 'a_2.nii')).map(({ key }) => key)).toEqual([
      '1.nii',
      '2.nii'
    ]);
  });
  test.each([
    ['', 'empty'],
    ['/a/{b}', 'absolute'],
    ['../{b}', 'upwards'],
    ['a//{b}', 'empty part'],
    ['{a', 'open brace'],
    ['a}', 'closing brace'],
    ['{}', 'no name'],
    ['{1a}', 'digit first'],
    ['{a-b}', 'hyphen'],
    ['{a}{b}', 'side by side'],
    ['{a}*', 'side by side'],
    ['*{a}', 'side by side'],
    ['**/{a}', 'two stars'],
    ['*.nii', 'no group']
  ])('%j is refused: %s', async (pattern) => {
    expect(await codeOf(() => new PathPattern(pattern))).toBe('PATTERN_INVALID');
  });
  test('a name that can be read in two ways is refused, with both', async () => {
    expect(await codeOf(() => shardsOf('{a}_{b}.nii', 'x_y_z.nii'))).toBe('PATTERN_AMBIGUOUS');
    expect(await codeOf(() => shardsOf('{a}_{b}.nii', 'x_y.nii'))).toBeUndefined();
  });
  test('two shards with one key are refused', async () => {
    expect(await codeOf(() => shardsOf('{a}_*/{b}.nii', 'x_1/y.nii', 'x_2/y.nii'))).toBeUndefined();
    expect(await codeOf(() => shardsOf('a*-{a}/b.nii', 'a1-x/b.nii', 'a-.x/b.nii'))).toBeUndefined();
    expect(await codeOf(() => shardsOf('*-{a}/{b}', '1-x/y', '1-.x/y'))).toBe('PATTERN_AMBIGUOUS');
  });
  test('what matches nothing is refused', async () => {
    expect(await codeOf(() => shardsOf('sub-{sub}.nii', 'a.nii'))).toBe('PATTERN_NO_MATCH');
    expect(await codeOf(() => layOut(found('a'), { layout: 'pattern' }))).toBe('PATTERN_INVALID');
    expect(await codeOf(() => layOut(found('a'), { layout: 'file-per-shard', pattern: '{a}' }))).toBe(
      'PATTERN_INVALID'
    );
  });
  test('many groups over a name of many like parts come to an end', () => {
    const pattern = new PathPattern(
      ['{a}', '{b}', '{c}', '{d}', '{e}', '{f}', '{g}', '{h}', '{i}', '{j}'].join('x') + 'y'
    );
    expect(pattern.read('x'.repeat(200))).toEqual([]);
  });
});

test('folders as shards are in the order of bytes, each with its own files', async () => {
  const layout = await layOut(found('b/1', 'a/2', 'a/1', 'a/c/1', 'top'), { layout: 'folder-per-shard' });
  expect([...layout.shards()].map(({ key, files }) => [key, files.map(({ path }) => path)])).toEqual([
    ['a', ['2', '1']],
    ['a/c', ['1']],
    ['b', ['1']]
  ]);
  expect(await codeOf(() => layOut(found('top'), { layout: 'folder-per-shard' }))).toBe('FOLDER_EMPTY');
  expect(await codeOf(() => layOut([], { layout: 'file-per-shard' }))).toBe('FOLDER_EMPTY');
});

describe('tables', () => {
  test('comma-separated with quotes, tab-separated without', () => {
    expect(parseTable('\ufeffa,b\r\n1,"x, ""y""\nz"\r\n\r\n2,\r\n', ',')).toEqual({
      columns: ['a', 'b'],
      rows: [
        ['1', 'x, "y"\nz'],
        ['2', '']
      ]
    });
    expect(parseTable('a\tb\n1\t"x"\n', '\t')).toEqual({ columns: ['a', 'b'], rows: [['1', '"x"']] });
  });
  test.each(['', '\n\n', 'a,a\n1,2', 'a,\n1,2', 'a,b\n1', 'a,b\n1,2,3', 'a,b\n1,"x', 'a,b\n1,x"y"'])(
    '%j is refused',
    (text) => {
      expect(() => parseTable(text, ',')).toThrow(TableFault);
    }
  );
});

test('the digest of a shard changes with all that a task sees of it', () => {
  const objects = [{ path: 'a', digest: 'sha256:1', sizeBytes: 1, mediaType: 'text/plain' }];
  const shard = { key: 'k', entities: { sub: '1' }, metadata: { age: 3 }, objects };
  const digests = [
    shard,
    { ...shard, key: 'l' },
    { ...shard, entities: { sub: '2' } },
    { ...shard, metadata: { age: 4 } },
    { ...shard, objects: [{ ...objects[0]!, path: 'b' }] },
    { ...shard, objects: [{ ...objects[0]!, digest: 'sha256:2' }] }
  ].map(shardDigest);
  expect(new Set(digests).size).toBe(digests.length);
  expect(shardDigest({ ...shard, objects: [{ ...objects[0]!, mediaType: 'x/y' }] })).toBe(digests[0]);
});

test.each<[string | undefined, number, ReturnType<typeof parseRange>]>([
  [undefined, 10, undefined],
  ['bytes=0-4', 10, { start: 0, end: 4 }],
  ['bytes=5-', 10, { start: 5, end: 9 }],
  ['bytes=-3', 10, { start: 7, end: 9 }],
  ['bytes=-30', 10, { start: 0, end: 9 }],
  ['bytes=8-100', 10, { start: 8, end: 9 }],
  ['bytes=10-', 10, null],
  ['bytes=-0', 10, null],
  ['bytes=0-', 0, null],
  ['bytes=5-2', 10, undefined],
  ['bytes=1-2,4-5', 10, undefined],
  ['bytes=-', 10, undefined],
  ['lines=1-2', 10, undefined]
])('range %s of %i bytes', (header, size, range) => {
  expect(parseRange(header, size)).toEqual(range);
});
