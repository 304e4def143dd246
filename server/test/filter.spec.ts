import { numberOf, parseFilter } from '../src/metadata/filter.js';
import { ProblemError } from '../src/problem-error.js';

test('words and comparisons', () => {
  expect(parseFilter('  sub-01 age>60 snr<=1e-3 site!=A ')).toEqual([
    { kind: 'word', text: 'sub-01' },
    { kind: 'comparison', field: 'age', op: '>', values: [{ text: '60', number: 60 }] },
    { kind: 'comparison', field: 'snr', op: '<=', values: [{ text: '1e-3', number: 0.001 }] },
    { kind: 'comparison', field: 'site', op: '!=', values: [{ text: 'A', number: null }] }
  ]);
});

test('lists, quotes and escapes', () => {
  expect(parseFilter('sub=01,"0 2",x "two words" "a b"="say \\"hi\\" \\\\"')).toEqual([
    {
      kind: 'comparison',
      field: 'sub',
      op: '=',
      values: [
        { text: '01', number: 1 },
        { text: '0 2', number: null },
        { text: 'x', number: null }
      ]
    },
    { kind: 'word', text: 'two words' },
    { kind: 'comparison', field: 'a b', op: '=', values: [{ text: 'say "hi" \\', number: null }] }
  ]);
  expect(parseFilter('note=""')).toEqual([
    { kind: 'comparison', field: 'note', op: '=', values: [{ text: '', number: null }] }
  ]);
  expect(parseFilter('')).toEqual([]);
  expect(parseFilter('wow!')).toEqual([{ kind: 'word', text: 'wow!' }]);
});

test.each(['age >60', 'age> 60', '>60', 'a="b', 'a=1,', 'a>1,2', 'a="b"c', 'ab"c"'])('%s is refused', (filter) => {
  expect(() => parseFilter(filter)).toThrow(ProblemError);
});

test('numbers are decimal and finite', () => {
  expect(['1', '-.5', '1e400', '0x10', 'Infinity', '', '1.'].map(numberOf)).toEqual([
    1,
    -0.5,
    null,
    null,
    null,
    null,
    1
  ]);
});
