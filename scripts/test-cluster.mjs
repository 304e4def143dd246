// `npm run test:cluster`: starts the real cluster (MinIO, PostgreSQL, Kubernetes) and runs the same suites against it.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { run, runMain } from './child.mjs';
import { ensureChromium } from './chromium.mjs';
import { clusterEnvironment, clusterFile } from './cluster-environment.mjs';
import { nodeProgram, root } from './repository.mjs';
import { chooseSuites, jest, nodeTest, pytest, runSuites } from './run-suites.mjs';
import { setup } from './setup.mjs';

const helpers = 'kernels-helpers/python';
const onCluster = { LABSCALE_TEST_CLUSTER: clusterFile, LABSCALE_TEST_CLUSTER_REQUIRED: '1' };
const suite = (report, command, env = {}) => ({ report, command, env: () => ({ ...onCluster, ...env }) });

const suites = {
  'test-cluster': suite('junit', nodeTest('hub-config/**/*.test.mjs')),
  store: suite(
    'jest',
    jest('server', 'store', 'minio', 'object-', 'dataset', 'run-credentials', 'publish', 'snippets'),
    {
      LABSCALE_TEST_OBJECTS: 'minio'
    }
  ),
  // More of them wait than work: two at once, also where jest would keep a processor for itself.
  kubernetes: suite('jest', jest('server', '--maxWorkers=2', 'kubernetes', 'fault-parity')),
  'runs-on-minio': suite('jest', jest('server', '/run\\.spec', 'run-failures', 'run-steering'), {
    LABSCALE_TEST_OBJECTS: 'minio'
  }),
  'runs-on-kubernetes': suite('jest', jest('server', '/run\\.spec', 'run-failures', 'run-steering'), {
    LABSCALE_TEST_OBJECTS: 'minio',
    LABSCALE_TEST_RUNNER: 'kubernetes'
  }),
  transfer: suite('junit', pytest(helpers, join(helpers, 'tests'), '-k', 's3 or transfer or store')),
  demo: {
    report: 'steps',
    command: (report) => [nodeProgram('node'), ['scripts/test-cluster-demo.mjs', report]],
    env: () => onCluster
  },
  ui: {
    report: 'playwright',
    needs: ensureChromium,
    command: () => ['npm', ['test', '--workspace', 'ui-tests', '--', 'whole-job', 'failures', 'cluster']],
    env: (report) => ({
      ...onCluster,
      ...clusterEnvironment(join(root, 'reports'), { runner: 'kubernetes', objects: 'minio' }),
      LABSCALE_UI_REPORT: report
    })
  }
};

await runMain(async () => {
  const { values } = parseArgs({ options: { only: { type: 'string' } } });
  const names = chooseSuites(suites, values.only);
  await setup();
  await run('npm', ['run', '--silent', 'cluster', '--', 'up'], { show: true });
  const { failed, skipped } = await runSuites(suites, names, join(root, 'reports', 'cluster'));
  // Here everything is there: what is skipped was not seen to work.
  return failed > 0 || skipped > 0 ? 1 : 0;
});
