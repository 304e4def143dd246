import type { Adapter, Contract, ParameterValues } from '@labscale/schema';
import { containerArguments, defaultCommandOf } from '../src/analyses/container-arguments.js';
import { ProblemError } from '../src/problem-error.js';

type Type = Contract['parameters'][number]['type'];

function argumentsOf(
  adapter: Adapter,
  command: string[],
  values: ParameterValues = {},
  types: Record<string, Type> = {}
): string[] {
  const parameters = Object.keys(values).map((name) => ({ name, type: types[name] ?? ('any' as const) }));
  const contract = { parameters, outputs: [], warm: false } as unknown as Contract;
  return containerArguments({ adapter, command, contract }, values);
}

function problemOf(make: () => unknown): ProblemError {
  try {
    make();
  } catch (error) {
    if (error instanceof ProblemError) return error;
  }
  throw new Error('there was no problem');
}

/** What a shell, Kubernetes, Argo or a template would each take for something of its own. */
const awkward = [
  '$(id)',
  '$(HOSTNAME)',
  '`id`',
  '$HOME',
  'a; rm -rf /',
  "it's",
  '"quoted"',
  'two\nlines\r\n',
  '',
  ' ',
  '-x',
  '--version',
  '{{}}',
  '{sigma}',
  '{input}',
  '*',
  '\\',
  'größe 𝛔',
  '$&',
  '$1'
];

describe('plain', () => {
  test.each(awkward)('the value %j is one argument, as it is', (value) => {
    expect(argumentsOf('plain', ['tool', '{value}', '--to={value}', '{input}'], { value })).toEqual([
      'tool',
      value,
      `--to=${value}`,
      '/in'
    ]);
  });

  test('places, braces and values that are no text', () => {
    const values = { n: 1.5, many: [1, 'a'], flag: false, none: null, deep: { a: 'b' } };
    const command = [
      '{input}',
      '{output}/x',
      '{params}',
      '{{n}}',
      '{n}{n}',
      '{many}',
      '{flag}',
      '{none}',
      '{deep}',
      ''
    ];
    expect(argumentsOf('plain', command, values)).toEqual([
      ...['/in', '/out/x', '/params.json', '{n}', '1.51.5', '[1,"a"]', 'false', 'null', '{"a":"b"}', '']
    ]);
  });

  test('what no argument can carry is refused, with the parameter and the mend', () => {
    const nul = problemOf(() => argumentsOf('plain', ['{text}'], { text: 'a\0b' }));
    expect([nul.code, nul.detail]).toEqual(['PARAMETER_INVALID', expect.stringContaining('"text" has a NUL')]);
    expect(nul.more.mend).toContain('{params}');
    expect(argumentsOf('plain', ['{text}'], { text: 'x'.repeat(131_071) })).toHaveLength(1);
    expect(problemOf(() => argumentsOf('plain', ['{text}'], { text: 'x'.repeat(131_072) })).code).toBe('TOO_LARGE');
    // In bytes, not in characters.
    expect(problemOf(() => argumentsOf('plain', ['{text}'], { text: 'ö'.repeat(70_000) })).code).toBe('TOO_LARGE');
    const part = { text: 'x'.repeat(100_000) };
    expect(problemOf(() => argumentsOf('plain', ['{text}', '{text}', '{text}'], part)).code).toBe('TOO_LARGE');
    // What the command does not name does not come into it.
    expect(argumentsOf('plain', ['tool'], { text: '\0'.repeat(500_000) })).toEqual(['tool']);
  });
});

test('a BIDS App gets the folders and the level first', () => {
  expect(argumentsOf('bids-app', [])).toEqual(['/in', '/out', 'participant']);
  expect(argumentsOf('bids-app', ['--fd', '{fd}', '--skip-bids-validation'], { fd: 0.5, unused: 1 })).toEqual([
    ...['/in', '/out', 'participant', '--fd', '0.5', '--skip-bids-validation']
  ]);
});

describe('a ChRIS plugin', () => {
  test('gets flags by type, then the folders', () => {
    const values = {
      ...{ text: 'a b', count: 3, ratio: 0.5, yes: true, no: false, none: null },
      ...{ list: ['a', 1], empty: [], deep: { a: 1 } }
    };
    expect(argumentsOf('chris', ['plugin'], values)).toEqual([
      ...['plugin', '--text', 'a b', '--count', '3', '--ratio', '0.5', '--yes', '--list', 'a,1', '--empty', ''],
      ...['--deep', '{"a":1}', '/in', '/out']
    ]);
  });

  test('a value that begins with a dash hangs on its flag', () => {
    expect(argumentsOf('chris', ['plugin'], { text: '--help', number: -1e-7, empty: '' })).toEqual([
      ...['plugin', '--text=--help', '--number=-1e-7', '--empty', '', '/in', '/out']
    ]);
  });

  test.each(awkward)('the value %j is one argument', (value) => {
    const words = value.startsWith('-') ? [`--value=${value}`] : ['--value', value];
    expect(argumentsOf('chris', ['plugin'], { value })).toEqual(['plugin', ...words, '/in', '/out']);
  });

  test('what the command names itself is no flag as well', () => {
    expect(argumentsOf('chris', ['plugin', '-t', '{threshold}'], { threshold: 2, other: 'x' })).toEqual([
      ...['plugin', '-t', '2', '--other', 'x', '/in', '/out']
    ]);
  });

  test('a list of texts with commas is refused, with the parameter', () => {
    const problem = problemOf(() => argumentsOf('chris', ['plugin'], { list: ['a,b'] }));
    expect([problem.code, problem.detail]).toEqual(['PARAMETER_INVALID', expect.stringContaining('"list"')]);
    expect(problemOf(() => argumentsOf('chris', ['plugin'], { list: ['a\0'] })).code).toBe('PARAMETER_INVALID');
  });
});

test('without a command an image does what its engine would make it do', () => {
  const ofImage = ['tool', '{x}', '--help'];
  expect(defaultCommandOf('plain', ofImage)).toEqual(['tool', '{{x}}', '--help']);
  expect(argumentsOf('plain', defaultCommandOf('plain', ofImage))).toEqual(ofImage);
  expect(defaultCommandOf('bids-app', ofImage)).toEqual([]);
  expect(defaultCommandOf('chris', ofImage)).toEqual(['tool', '{{x}}']);
  expect(defaultCommandOf('chris', ['tool'])).toEqual(['tool']);
});
