import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { closingLine, readReport } from './test-reports.mjs';

const folder = mkdtempSync(join(tmpdir(), 'labscale-reports-'));
after(() => rmSync(folder, { recursive: true }));
const report = (text) => {
  const path = join(folder, 'report');
  writeFileSync(path, text);
  return path;
};

test('counts JUnit test cases by what became of them', () => {
  const path = report(
    '<testsuites><testsuite tests="5"><testcase name="a"/><testcase name="b" time="1"></testcase>' +
      '<testcase name="c"><failure message="x">no</failure></testcase><testcase name="d"><error/></testcase>' +
      '<testcase name="e"><skipped/></testcase></testsuite></testsuites>'
  );
  assert.deepEqual(readReport('junit', path), { passed: 2, failed: 2, skipped: 1 });
});

test('counts a jest file that cannot be loaded as failed', () => {
  const path = report(
    '{"numPassedTests":3,"numFailedTests":1,"numRuntimeErrorTestSuites":1,"numPendingTests":2,"numTodoTests":0}'
  );
  assert.deepEqual(readReport('jest', path), { passed: 3, failed: 2, skipped: 2 });
});

test('counts an error outside of any screen test, and a flaky test, as failed', () => {
  const path = report('{"stats":{"expected":4,"unexpected":1,"flaky":1,"skipped":0},"errors":[{}]}');
  assert.deepEqual(readReport('playwright', path), { passed: 4, failed: 3, skipped: 0 });
});

test('a report that is missing or empty is no report', () => {
  assert.equal(readReport('junit', join(folder, 'none')), undefined);
  assert.equal(readReport('junit', report('<testsuites></testsuites>')), undefined);
  assert.equal(readReport('steps', report('[]')), undefined);
});

test('the closing line names skipped tests only where there are any', () => {
  assert.equal(closingLine({ passed: 2, failed: 0, skipped: 0 }), '2 passed, 0 failed');
  assert.equal(closingLine({ passed: 2, failed: 1, skipped: 3 }), '2 passed, 1 failed, 3 skipped');
});
