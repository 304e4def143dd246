import { nullTranslator } from '@jupyterlab/translation';
import { readPattern } from './pattern';

const trans = nullTranslator.load('labscale');

describe('readPattern', () => {
  it('finds the entities in order of first appearance', () => {
    expect(readPattern('sub-{sub}/anat/sub-{sub}_{suffix}.nii', trans)).toEqual({
      entities: ['sub', 'suffix'],
      problem: null
    });
  });

  it.each([
    ['', 'names in braces'],
    ['/a/{b}', 'without a / in front'],
    ['a/../{b}', 'or is . or ..'],
    ['a}', 'without a { before'],
    ['a{b', 'without a } after'],
    ['a{b{c}}', 'without a } after'],
    ['a{b c}', 'is not a name'],
    ['{a}{b}', 'needs some text between'],
    ['plain.csv', 'at least one part']
  ])('says what is wrong with %p', (pattern, problem) => {
    expect(readPattern(pattern, trans).problem).toContain(problem);
  });
});
