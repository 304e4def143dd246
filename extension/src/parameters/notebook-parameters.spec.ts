import {
  boundNames,
  candidateVariables,
  findAssignments,
  findParametersCell,
  importedModules,
  injectParameters,
  planParametersEdit,
  textParameters,
  withoutOutputs,
  type INotebookCell
} from './notebook-parameters';
import { formatLiteral, parseLiteral } from './python-literal';

const code = (source: string, ...tags: string[]): INotebookCell => ({ cell_type: 'code', source, metadata: { tags } });
const text = (source: string): INotebookCell => ({ cell_type: 'markdown', source, metadata: {} });

describe('findParametersCell', () => {
  it('finds the tagged code cell and passes over a tagged text cell', () => {
    const cells = [{ ...text('sigma = 1'), metadata: { tags: ['parameters'] } }, code('sigma = 2', 'parameters')];
    expect(findParametersCell(cells)).toEqual({ index: 1, tag: 'parameters' });
  });

  it("takes Kale's tag where papermill's is absent, and only then", () => {
    const kale = code('sigma = 2', 'pipeline-parameters');
    expect(findParametersCell([kale])).toEqual({ index: 0, tag: 'pipeline-parameters' });
    expect(findParametersCell([kale, code('sigma = 2', 'parameters')])).toEqual({ index: 1, tag: 'parameters' });
  });

  it('gives null for a notebook without one, and for tags that are no list', () => {
    expect(findParametersCell([code('a = 1'), { ...code('b = 1'), metadata: { tags: 'parameters' } }])).toBeNull();
  });
});

describe('findAssignments', () => {
  it('reads annotated, multi-line and string values, and no comparison, keyword or indented line', () => {
    const found = findAssignments(
      [
        'sigma: float = 2.0  # width',
        'sizes = [',
        '  1,',
        '  2',
        ']',
        'x == 3',
        'if x:',
        '  y = 1',
        'name = "a # b"',
        'z = f(1)'
      ].join('\n')
    );
    expect(found.map(({ name, value }) => [name, value])).toEqual([
      ['sigma', 2],
      ['sizes', [1, 2]],
      ['name', 'a # b'],
      ['z', undefined]
    ]);
    expect(found[1]).toMatchObject({ firstLine: 1, lastLine: 4 });
  });

  it('sees no assignment inside a text of several lines', () => {
    expect(findAssignments('"""\nsigma = 3\n"""\nk = 1').map(({ name }) => name)).toEqual(['k']);
  });
});

describe('parseLiteral and formatLiteral', () => {
  it.each([
    ['1_000', 1000],
    ['-2.5e-3', -0.0025],
    ["'it\\'s'", "it's"],
    ['(1, 2)', [1, 2]],
    ['(3)', 3],
    ['{"a": [True, None], }', { a: [true, null] }]
  ])('reads %s', (source, value) => {
    expect(parseLiteral(source)).toEqual(value);
  });

  it.each(['sigma', 'f(1)', '1 + 2', 'f"a"', 'float("nan")', '1e999', '[1 2]', '"open', '0x10', '2j'])(
    'reads no value from %s',
    (source) => {
      expect(parseLiteral(source)).toBeUndefined();
    }
  );

  it('writes what it reads', () => {
    const value = { a: [1, 'x"y\n', true, null], b: 2.5 };
    expect(parseLiteral(formatLiteral(value, 'python'))).toEqual(value);
    expect(formatLiteral([true, 'x$y'], 'julia')).toBe('[true, "x\\$y"]');
    expect(formatLiteral({ a: null }, 'R')).toBe('list("a" = NULL)');
  });
});

describe('textParameters', () => {
  it('takes the last assignment to a name', () => {
    expect(textParameters([code('a = 1\nb = len("x")\na = 2', 'parameters')])).toEqual([
      { name: 'a', value: 2 },
      { name: 'b', value: undefined }
    ]);
  });
});

describe('candidateVariables', () => {
  it('offers names with one literal assignment, and none that is set again', () => {
    const cells = [
      code('a = 1\nb = 2\nc = f()'),
      code('b = 3'),
      code('d = 4\nd += 1\nfor e in x:\n  pass\ne = 1\n_f = 1')
    ];
    expect(candidateVariables(cells)).toEqual([{ name: 'a', value: 1 }]);
  });

  it('does not offer what is a parameter already', () => {
    expect(candidateVariables([code('a = 1', 'parameters'), code('b = 2')])).toEqual([{ name: 'b', value: 2 }]);
  });
});

it('boundNames sees every way of setting a name', () => {
  const source = 'a, (b, *c) = x\nfor i, (j, k) in y:\n  d = 1\nwith open(f) as g:\n  pass\nif (h := 1) == l: n(m=o)\n';
  expect([...boundNames([code(source)])].sort()).toEqual(['a', 'b', 'c', 'd', 'g', 'h', 'i', 'j', 'k']);
});

describe('planParametersEdit', () => {
  it('only tags a cell that holds just the chosen variables', () => {
    const plan = planParametersEdit(
      [code('# tune\na = 1\nb = 2')],
      [
        { name: 'a', value: 1 },
        { name: 'b', value: 2 }
      ],
      'python'
    );
    expect(plan).toMatchObject({ tagCell: 0, insert: null });
    expect(plan.sources.size).toBe(0);
  });

  it('moves the lines out of mixed cells, comments kept, so that nothing overwrites an injected value', () => {
    const cells = [code('import x'), code('a = 1  # first\ny = x.f(a)'), code('b = 2\nprint(b)')];
    const plan = planParametersEdit(
      cells,
      [
        { name: 'a', value: 1 },
        { name: 'b', value: 2 }
      ],
      'python'
    );
    expect(plan.insert).toEqual({ index: 1, source: 'a = 1  # first\nb = 2' });
    expect([...plan.sources]).toEqual([
      [1, 'y = x.f(a)'],
      [2, 'print(b)']
    ]);
  });

  it('adds to the cell that is tagged already, and leaves an assignment that is no literal', () => {
    const cells = [code('a = 1', 'parameters'), code('b = f(a)')];
    const plan = planParametersEdit(cells, [{ name: 'b', value: 3 }], 'python');
    expect([...plan.sources]).toEqual([[0, 'a = 1\nb = 3']]);
    expect(plan.insert).toBeNull();
  });
});

describe('injectParameters', () => {
  it('puts one cell after the tagged one, in place of the older', () => {
    const cells = [code('a = 1', 'parameters'), code('a = 5', 'injected-parameters'), code('print(a)')];
    const injected = injectParameters(cells, { a: 7 }, new Set(), 'python', 'best, version 2', (source) =>
      code(source, 'injected-parameters')
    );
    expect(injected.map((cell) => cell.source)).toEqual(['a = 1', '# best, version 2\na = 7', 'print(a)']);
  });

  it('writes a whole number as a float where its parameter is one', () => {
    const values = { a: 2, b: -3, c: 1e21, d: 2, e: null };
    const [cell] = injectParameters([], values, new Set(['a', 'b', 'c', 'e']), 'python', 'x', (source) => code(source));
    expect(cell?.source).toBe('# x\na = 2.0\nb = -3.0\nc = 1e+21\nd = 2\ne = None');
  });
});

it('withoutOutputs keeps sources and metadata only', () => {
  const notebook = {
    cells: [{ ...code('a = 1', 'parameters'), outputs: [1], execution_count: 3 }, text('b')],
    nbformat: 4
  };
  expect(withoutOutputs(notebook)).toEqual({
    cells: [{ ...code('a = 1', 'parameters'), outputs: [], execution_count: null }, text('b')],
    nbformat: 4
  });
});

it('importedModules gives first parts only', () => {
  expect(importedModules('import numpy as np, lib\nfrom steps.smooth import f\nx = "import y"')).toEqual([
    'numpy',
    'lib',
    'steps'
  ]);
});
