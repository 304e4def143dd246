import { splitSearchText } from './search-text';

describe('splitSearchText', () => {
  it.each([
    ['', '', ''],
    ['brain scans', 'brain scans', ''],
    ['sub=01', '', 'sub=01'],
    ['brain sub=01 age>=60', 'brain', 'sub=01 age>=60'],
    ['site="New York" mri', 'mri', 'site="New York"'],
    ['=5 a!=b', '=5', 'a!=b']
  ])('parts %p into words and filter', (text, words, filter) => {
    expect(splitSearchText(text)).toEqual({ words, filter });
  });
});
