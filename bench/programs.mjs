import { spawn } from 'node:child_process';

/**
 * Runs a program to its end and gives its standard output; standard error passes through where `loud` is set.
 * Raises an error with the end of its standard error where it fails.
 */
export function run(program, args, { cwd, env, input, loud = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: 'pipe' });
    let output = '';
    let problems = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text) => {
      problems = (problems + text).slice(-4_000);
      if (loud) process.stderr.write(text);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${program} ${args.slice(0, 3).join(' ')} ended with ${signal ?? code}: ${problems}`));
    });
    // A program that ends before it has read everything closes the pipe; its exit code tells the story.
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
  });
}

/** Runs a program of which the last line of standard output is one JSON value, and gives that. */
export async function runForJson(program, args, options) {
  const lines = (await run(program, args, options)).trimEnd().split('\n');
  return JSON.parse(lines.at(-1));
}

/** Asks a process to end, then makes it; resolves when it is gone. */
export async function end(child, { graceMs = 10_000 } = {}) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await gone;
  clearTimeout(timer);
}
