// Counts the tests in the reports that the runners write: {passed, failed, skipped}.
import { readFileSync } from 'node:fs';

const readers = {
  /** JUnit XML: pytest and node --test. Counted by test case, since not every writer sums up in the same place. */
  junit(text) {
    const count = { passed: 0, failed: 0, skipped: 0 };
    for (const [, body] of text.matchAll(/<testcase\b[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
      if (/<(failure|error)\b/.test(body ?? '')) count.failed += 1;
      else if (/<skipped\b/.test(body ?? '')) count.skipped += 1;
      else count.passed += 1;
    }
    return count;
  },
  jest(text) {
    const report = JSON.parse(text);
    return {
      passed: report.numPassedTests,
      // A file that cannot be loaded has no failed test of its own.
      failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
      skipped: report.numPendingTests + report.numTodoTests
    };
  },
  playwright(text) {
    const { stats, errors } = JSON.parse(text);
    return { passed: stats.expected, failed: stats.unexpected + stats.flaky + errors.length, skipped: stats.skipped };
  },
  steps(text) {
    const steps = JSON.parse(text);
    const of = (state) => steps.filter((step) => step.state === state).length;
    return { passed: of('passed'), failed: of('failed'), skipped: of('skipped') };
  }
};

/** Read one report; undefined where there is none or where it holds no test, which both mean that the suite did not run. */
export function readReport(kind, path) {
  let text;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  const count = readers[kind](text);
  return count.passed + count.failed + count.skipped > 0 ? count : undefined;
}

/** The closing line, `N passed, N failed` and, where there are any, `, N skipped`. */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
