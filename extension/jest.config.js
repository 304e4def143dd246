const preset = require('@jupyterlab/testing/lib/jest-config')(__dirname);

module.exports = {
  ...preset,
  rootDir: __dirname,
  testRegex: 'src/.*\\.spec\\.tsx?$',
  reporters: ['default'],
  // JupyterLab's own packages are published as ES modules, which the preset takes to be built beside it.
  transformIgnorePatterns: preset.transformIgnorePatterns.map((pattern) => pattern.replace('(?!', '(?!@jupyterlab/|')),
  // Types are checked by `tsc --build`; here each file is only translated.
  transform: { ...preset.transform, '^.+\\.tsx?$': ['ts-jest/legacy', { tsconfig: './tsconfig.test.json' }] }
};
