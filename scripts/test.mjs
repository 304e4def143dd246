// `npm test`: sets the checkout up, runs every suite, and ends with one line counted from the runners' own reports.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { run, runMain } from './child.mjs';
import { ensureChromium } from './chromium.mjs';
import { nodeProgram, root, venvProgram } from './repository.mjs';
import { setup } from './setup.mjs';
import { closingLine, readReport } from './test-reports.mjs';

const reports = join(root, 'reports');
const npm = (...args) => ['npm', args];
const pytest = (folder) => (report) => [
  venvProgram('python'),
  [
    '-m',
    'pytest',
    '-q',
    '--rootdir',
    folder,
    '-c',
    join(root, folder, 'pyproject.toml'),
    join(folder, 'tests'),
    `--junitxml=${report}`
  ]
];
const jest = (workspace) => (report) =>
  npm('test', '--workspace', workspace, '--', '--ci', '--json', `--outputFile=${report}`);
const nodeTest = (pattern) => (report) => [
  nodeProgram('node'),
  [
    '--test',
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    '--test-reporter=junit',
    `--test-reporter-destination=${report}`,
    pattern
  ]
];

/** A suite without `report` is one check, which passes where its command does. */
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
  wheels: { report: 'steps', command: (report) => [nodeProgram('node'), ['scripts/test-wheels.mjs', report]] },
  ui: {
    report: 'playwright',
    needs: ensureChromium,
    command: () => npm('test', '--workspace', 'ui-tests'),
    env: (report) => ({ LABSCALE_UI_REPORT: report })
  }
};

async function runSuite(name, suite) {
  const reason = await suite.needs?.();
  if (reason) return { passed: 0, failed: 0, skipped: 1, reason };
  const report = join(reports, `${name}.${suite.report === 'junit' ? 'xml' : 'json'}`);
  const [program, args] = suite.command(report);
  const { code } = await run(program, args, {
    show: true,
    mayFail: true,
    env: { ...process.env, ...suite.env?.(report) }
  });
  if (!suite.report) return { passed: Number(code === 0), failed: Number(code !== 0), skipped: 0 };
  const count = readReport(suite.report, report);
  if (!count) return { passed: 0, failed: 1, skipped: 0, reason: 'did not run: there is no report, or no test in it' };
  if (code !== 0 && count.failed === 0) return { ...count, failed: 1, reason: `ended with code ${code}` };
  return count;
}

await runMain(async () => {
  const { values } = parseArgs({
    options: { only: { type: 'string' }, 'no-skip': { type: 'boolean', default: false } }
  });
  const names = values.only ? values.only.split(',') : Object.keys(suites);
  const unknown = names.filter((name) => !Object.hasOwn(suites, name));
  if (unknown.length > 0)
    throw new Error(`--only: there is no suite ${unknown.join(', ')}; there are ${Object.keys(suites).join(', ')}.`);

  await setup();
  rmSync(reports, { recursive: true, force: true });
  mkdirSync(reports);
  const total = { passed: 0, failed: 0, skipped: 0 };
  const lines = [];
  for (const name of names) {
    console.log(`\n── ${name}`);
    const start = Date.now();
    const count = await runSuite(name, suites[name]).catch((error) => ({
      passed: 0,
      failed: 1,
      skipped: 0,
      reason: error.message
    }));
    for (const state of Object.keys(total)) total[state] += count[state];
    const seconds = ((Date.now() - start) / 1_000).toFixed(0);
    lines.push(`${name}: ${closingLine(count)} (${seconds} s)${count.reason ? ` – ${count.reason}` : ''}`);
  }
  console.log(`\n${lines.join('\n')}\n\n${closingLine(total)}`);
  return total.failed > 0 || (values['no-skip'] && total.skipped > 0) ? 1 : 0;
});
