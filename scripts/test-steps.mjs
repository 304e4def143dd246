// A suite of a few long steps, one after the other, whose outcome is written as JSON for test-reports.mjs.
import { writeFileSync } from 'node:fs';

/**
 * Run `work(step)`, where `step(name, act)` is one step: it is timed, shown, and ends the suite where it fails. Writes all of
 * them to the file `report`, where one is named, and sets the exit code.
 */
export async function runSteps(report, work) {
  const steps = [];
  const step = async (name, act) => {
    const start = Date.now();
    try {
      const value = await act();
      steps.push({ name, state: 'passed' });
      console.log(`passed  ${name} (${((Date.now() - start) / 1_000).toFixed(1)} s)`);
      return value;
    } catch (error) {
      steps.push({ name, state: 'failed', reason: error.message });
      console.log(`failed  ${name}\n${error.message}`);
      throw error;
    }
  };
  try {
    await work(step);
  } catch {
    process.exitCode = 1;
  } finally {
    if (report) writeFileSync(report, JSON.stringify(steps, undefined, 2));
  }
}

export function check(condition, message) {
  if (!condition) throw new Error(message);
}
