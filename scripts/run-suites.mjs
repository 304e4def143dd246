// Runs suites one after the other and counts from the runners' own reports; the last line sums up.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './child.mjs';
import { nodeProgram, root, venvProgram } from './repository.mjs';
import { closingLine, readReport } from './test-reports.mjs';

export const npm = (...args) => ['npm', args];

/** The command of a pytest suite: the tests of a Python project, or those that `selection` names. */
export const pytest =
  (folder, ...selection) =>
  (report) => [
    venvProgram('python'),
    [
      '-m',
      'pytest',
      '-q',
      '--rootdir',
      folder,
      '-c',
      join(root, folder, 'pyproject.toml'),
      ...(selection.length > 0 ? selection : [join(folder, 'tests')]),
      `--junitxml=${report}`
    ]
  ];

/** The command of a jest suite: all of a workspace, or the specs whose path matches one of `patterns`. */
export const jest =
  (workspace, ...patterns) =>
  (report) =>
    npm('test', '--workspace', workspace, '--', '--ci', '--json', `--outputFile=${report}`, ...patterns);

export const nodeTest = (pattern) => (report) => [
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

async function runSuite(name, suite, reports) {
  const reason = await suite.needs?.();
  if (reason) return { passed: 0, failed: 0, skipped: 1, absent: true, reason };
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

/**
 * Run the suites named; a suite without `report` is one check, which passes where its command does.
 *
 * The total is left in `<reports>/total.json`. Gives {passed, failed, skipped, absent}; `absent` is true where a whole suite
 * could not run for want of a program.
 */
export async function runSuites(suites, names, reports) {
  rmSync(reports, { recursive: true, force: true });
  mkdirSync(reports, { recursive: true });
  const total = { passed: 0, failed: 0, skipped: 0 };
  let absent = false;
  const lines = [];
  for (const name of names) {
    console.log(`\n── ${name}`);
    const start = Date.now();
    const count = await runSuite(name, suites[name], reports).catch((error) => ({
      passed: 0,
      failed: 1,
      skipped: 0,
      reason: error.message
    }));
    for (const state of Object.keys(total)) total[state] += count[state];
    absent ||= count.absent ?? false;
    const seconds = ((Date.now() - start) / 1_000).toFixed(0);
    lines.push(`${name}: ${closingLine(count)} (${seconds} s)${count.reason ? ` – ${count.reason}` : ''}`);
  }
  writeFileSync(join(reports, 'total.json'), JSON.stringify(total));
  console.log(`\n${lines.join('\n')}\n\n${closingLine(total)}`);
  return { ...total, absent };
}

/** The names that `--only` asks for, or all; raises for one that there is not. */
export function chooseSuites(suites, only) {
  const names = only ? only.split(',') : Object.keys(suites);
  const unknown = names.filter((name) => !Object.hasOwn(suites, name));
  if (unknown.length > 0)
    throw new Error(`--only: there is no suite ${unknown.join(', ')}; there are ${Object.keys(suites).join(', ')}.`);
  return names;
}
