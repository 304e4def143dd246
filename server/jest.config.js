export default {
  testMatch: ['<rootDir>/test/**/*.spec.ts'],
  // Types are checked by `npm run check:types`; here each file is only translated, so a test starts in a moment.
  transform: { '\\.ts$': '<rootDir>/test/esbuild-transform.mjs' },
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': ['$1', '$1.js'] },
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  // Runs of real workers, on a machine that others use at the same time.
  // Pods take their time to start.
  testTimeout: process.env.LABSCALE_TEST_RUNNER === 'kubernetes' ? 300_000 : 60_000,
  workerIdleMemoryLimit: '1GB'
};
