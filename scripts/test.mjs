// `npm test`: sets the checkout up and runs everything that needs no cluster.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runMain } from './child.mjs';
import { ensureChromium } from './chromium.mjs';
import { nodeProgram, root, venvProgram } from './repository.mjs';
import { chooseSuites, jest, nodeTest, npm, pytest, runSuites } from './run-suites.mjs';
import { setup } from './setup.mjs';

const suites = {
  types: { command: () => npm('run', 'check:types') },
  format: { command: () => npm('run', 'check:format') },
  lint: { command: () => npm('run', 'check:lint') },
  generated: { command: () => npm('run', 'check:generated') },
  server: { report: 'jest', command: jest('server') },
  extension: { report: 'jest', command: jest('extension') },
  helpers: { report: 'junit', command: pytest('kernels-helpers/python') },
  jupyter: { report: 'junit', command: pytest('extension') },
  examples: {
    report: 'junit',
    command: (report) => [venvProgram('python'), ['-m', 'pytest', '-q', 'examples', `--junitxml=${report}`]]
  },
  bench: { report: 'junit', command: nodeTest('bench/**/*.test.mjs') },
  scripts: { report: 'junit', command: nodeTest('scripts/**/*.test.mjs') },
  'test-cluster': { report: 'junit', command: nodeTest('hub-config/**/*.test.mjs') },
  wheels: { report: 'steps', command: (report) => [nodeProgram('node'), ['scripts/test-wheels.mjs', report]] },
  ui: {
    report: 'playwright',
    needs: ensureChromium,
    command: () => npm('test', '--workspace', 'ui-tests'),
    env: (report) => ({ LABSCALE_UI_REPORT: report })
  }
};

await runMain(async () => {
  const { values } = parseArgs({
    options: { only: { type: 'string' }, 'no-skip': { type: 'boolean', default: false } }
  });
  const names = chooseSuites(suites, values.only);
  await setup();
  const { failed, absent } = await runSuites(suites, names, join(root, 'reports'));
  return failed > 0 || (values['no-skip'] && absent) ? 1 : 0;
});
