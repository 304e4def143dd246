// Finds a Python that this project can be set up with.
import { run } from './child.mjs';

const ask = 'import sys; print("%d.%d.%d" % sys.version_info[:3]); import venv, ensurepip';

/** Give {program, version} of a Python >= 3.10 with venv and pip; rejects with what is missing and how to get it. */
export async function findPython() {
  const names = process.env.PYTHON
    ? [process.env.PYTHON]
    : ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python'];
  const refused = [];
  for (const program of names) {
    let answer;
    try {
      answer = await run(program, ['-c', ask], { mayFail: true });
    } catch {
      continue;
    }
    const version = answer.stdout.trim();
    const [major, minor] = version.split('.').map(Number);
    if (!(major === 3 && minor >= 10)) refused.push(`${program} is Python ${version || 'of an unknown version'}`);
    else if (answer.code !== 0) {
      refused.push(
        `${program} ${version} has no venv module with pip; on Debian or Ubuntu: apt-get install python${major}.${minor}-venv`
      );
    } else return { program, version };
  }
  throw new Error(
    [
      'Python 3.10 or newer with its venv module is needed.',
      ...(refused.length > 0 ? refused : [`None was found; looked for: ${names.join(', ')}.`]),
      'Install it, or name one by the variable PYTHON.'
    ].join('\n')
  );
}
