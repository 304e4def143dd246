// Adds up the totals that the lists of suites left, and ends with the closing line: `closing-line.mjs FOLDER...`.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { closingLine } from './test-reports.mjs';

const sum = { passed: 0, failed: 0, skipped: 0 };
for (const folder of process.argv.slice(2)) {
  let total = { passed: 0, failed: 1, skipped: 0 };
  try {
    total = JSON.parse(readFileSync(join(folder, 'total.json'), 'utf8'));
  } catch {
    console.log(`${folder}: its suites did not run to their end`);
  }
  for (const state of Object.keys(sum)) sum[state] += total[state];
}
console.log(closingLine(sum));
