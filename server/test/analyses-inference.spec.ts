import { inferParameters } from '../src/analyses/parameter-inference.js';
import { ProblemError } from '../src/problem-error.js';

const python = (source: string) => inferParameters(source, 'python');
const defaults = (source: string, language = 'python') =>
  Object.fromEntries(inferParameters(source, language).map(({ name, type, default: value }) => [name, [type, value]]));

function problemOf(act: () => unknown): ProblemError {
  try {
    act();
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('Python', () => {
  test('literals keep value and type', () => {
    expect(
      defaults(
        [
          'a = 2',
          'b = -2.5',
          'c = 1e-3',
          'd = 1_000',
          'e = 0xFF',
          'f = +.5',
          "g = 'it\\'s\\t\\u00e9 \\\\'",
          'h = r"\\d+"',
          'i = """two',
          'lines"""',
          'j = ("one "',
          '     "text")',
          'k = True',
          'l = None',
          'm = [1, -2.0, [True, None],]',
          'n = (1,)',
          'o = 1, 2',
          "p = {'x': {'y': [1]}, \"z\": 2}",
          'q = (3)',
          's = 1.e5',
          't = []; u = {}',
          'v = w = 7',
          'x, y = 1, "two"'
        ].join('\n')
      )
    ).toEqual({
      a: ['integer', 2],
      b: ['number', -2.5],
      c: ['number', 0.001],
      d: ['integer', 1000],
      e: ['integer', 255],
      f: ['number', 0.5],
      g: ['string', "it's\té \\"],
      h: ['string', '\\d+'],
      i: ['string', 'two\nlines'],
      j: ['string', 'one text'],
      k: ['boolean', true],
      l: ['any', null],
      m: ['array', [1, -2, [true, null]]],
      n: ['array', [1]],
      o: ['array', [1, 2]],
      p: ['object', { x: { y: [1] }, z: 2 }],
      q: ['integer', 3],
      s: ['number', 1e5],
      t: ['array', []],
      u: ['object', {}],
      v: ['integer', 7],
      w: ['integer', 7],
      x: ['integer', 1],
      y: ['string', 'two']
    });
    expect(python('l = None')).toEqual([{ name: 'l', type: 'any', default: null, nullable: true }]);
  });

  test('what only running tells has no default, and keeps its description', () => {
    expect(python('n = len("abc")  # how many')).toEqual([{ name: 'n', type: 'any', description: 'how many' }]);
    for (const source of [
      'a = b',
      'a = 60 * 60',
      'a = f"x{y}"',
      'a = b"x"',
      'a = {1: 2}',
      'a = {1, 2}',
      'a = [x]',
      'a = 2j',
      'a = np.pi'
    ]) {
      expect(python(source)).toEqual([{ name: 'a', type: 'any' }]);
    }
  });

  test('annotations', () => {
    expect(
      python(
        [
          'a: float = 2',
          'b: int',
          'c: Optional[float] = None',
          'd: "str | None" = "x"',
          "e: Literal['a', 'b'] = 'a'",
          'f: int = 2.5',
          'g: list[int] = [1]',
          'h: np.ndarray = None',
          'i: float = compute()'
        ].join('\n')
      )
    ).toEqual([
      { name: 'a', type: 'number', default: 2 },
      { name: 'b', type: 'integer' },
      { name: 'c', type: 'number', default: null, nullable: true },
      { name: 'd', type: 'string', default: 'x', nullable: true },
      { name: 'e', type: 'string', default: 'a', enum: ['a', 'b'] },
      { name: 'f', type: 'number', default: 2.5 },
      { name: 'g', type: 'array', default: [1] },
      { name: 'h', type: 'any', default: null, nullable: true },
      { name: 'i', type: 'number' }
    ]);
  });

  test('comments become descriptions, ranges and units', () => {
    expect(
      python(
        [
          '"""Smoothing."""',
          'import numpy as np',
          '',
          '# Width of the kernel',
          '# in space [mm], min 0, max 10',
          'sigma = 2.0',
          '',
          'order = 3  # [1, 5]',
          'title = "#1"  # not in the string [a]',
          '# not this one',
          '',
          'plain = 1',
          'odd = 7  # [1, 5] was too small',
          'typed = 1  # type: int how many'
        ].join('\n')
      )
    ).toEqual([
      {
        name: 'sigma',
        type: 'number',
        default: 2,
        description: 'Width of the kernel in space [mm], min 0, max 10',
        minimum: 0,
        maximum: 10,
        unit: 'mm'
      },
      { name: 'order', type: 'integer', default: 3, description: '[1, 5]', minimum: 1, maximum: 5 },
      { name: 'title', type: 'string', default: '#1', description: 'not in the string [a]' },
      { name: 'plain', type: 'integer', default: 1 },
      { name: 'odd', type: 'integer', default: 7, description: '[1, 5] was too small' },
      { name: 'typed', type: 'integer', default: 1, description: 'how many' }
    ]);
  });

  test('the last assignment of a name counts', () => {
    expect(defaults('a = 1\nb = 2\na = 3')).toEqual({ a: ['integer', 3], b: ['integer', 2] });
  });

  test.each([
    ['x = 1\nx = 1 2', 2],
    ['y = 1\nx = [1,\n2\n', 2],
    ['x = 2 +\ny = 3', 1],
    ["x = 'abc\ny = 2", 1],
    ["x = 'abc\\'\ny = 2", 1],
    ["x = f'abc\ny = 2", 1],
    ["y = 1\nx = '''abc\n", 2],
    ['y = 1\n    x = 2', 2],
    ['class = 3', 1],
    ['lambda = 0.5', 1],
    ['True = 3', 1],
    ['%matplotlib inline\nx = 1', 1],
    ['x = 1\nprint(x)', 2],
    ['x += 1', 1],
    ['x.y = 1', 1],
    ['a, b = f()', 1],
    ['if True:\n  x = 1', 1],
    ['__proto__ = 1', 1],
    ['constructor = 1', 1],
    ["x = {'__proto__': 1}", 1],
    ['σ = 2.0', 1],
    ['x = 012', 1],
    ['x = 9007199254740993', 1],
    ['x = 1e999', 1]
  ])('%j is refused with its line', (source, line) => {
    const problem = problemOf(() => python(source));
    expect(problem.code).toBe('PARAMETERS_CELL_INVALID');
    expect(problem.detail).toMatch(new RegExp(`^Line ${line} `));
    expect(problem.more.mend).toBeTruthy();
  });

  test('a keyword is named', () => {
    expect(problemOf(() => python('class = 3')).detail).toContain('"class" is a word of Python');
  });

  test('a description of any length and an empty cell do no harm', () => {
    expect(python(`x = 1 # ${'a'.repeat(10_000)}`)[0]?.description).toHaveLength(4_000);
    expect(python('')).toEqual([]);
    expect(python('x = 1\r\ny = 2\r\n')).toHaveLength(2);
  });
});

describe('R', () => {
  test('assignments', () => {
    expect(
      inferParameters(
        [
          'library(stats)',
          '# Width [mm]',
          'sigma <- 2.0',
          'n = 3L # min 1',
          "flag <- TRUE; name <- 'a\"b'",
          'xs <- c(1,',
          ' -2)',
          'z <- NULL',
          'f <- list(a = 1)'
        ].join('\n'),
        'r'
      )
    ).toEqual([
      { name: 'sigma', type: 'number', default: 2, description: 'Width [mm]', unit: 'mm' },
      { name: 'n', type: 'integer', default: 3, description: 'min 1', minimum: 1 },
      { name: 'flag', type: 'boolean', default: true },
      { name: 'name', type: 'string', default: 'a"b' },
      { name: 'xs', type: 'array', default: [1, -2] },
      { name: 'z', type: 'any', default: null, nullable: true },
      { name: 'f', type: 'any' }
    ]);
  });
  test.each(['print(1)', 'x <- c(1,', 'my.x <- 1', 'if <- 2', 'x <- 1e999'])('%j is refused', (source) => {
    expect(problemOf(() => inferParameters(source, 'r')).code).toBe('PARAMETERS_CELL_INVALID');
  });
});

test('Julia assignments', () => {
  expect(
    defaults(
      'using Images\nsigma::Float64 = 2 # width\nconst n = 1_000\ns = "a\\"b"\nd = "$s"\nv = [1, 2.5]\nt = nothing\nb = true',
      'julia'
    )
  ).toEqual({
    sigma: ['number', 2],
    n: ['integer', 1000],
    s: ['string', 'a"b'],
    d: ['any', undefined],
    v: ['array', [1, 2.5]],
    t: ['any', null],
    b: ['boolean', true]
  });
});

test('another language asks for the contract', () => {
  expect(problemOf(() => inferParameters('x=1', 'bash')).more.mend).toContain('contract.parameters');
});
