// Starts programs and waits for them; what goes wrong is an Error whose message a user can act on.
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { root } from './repository.mjs';

/**
 * Run a program to its end. Gives {code, stdout, stderr}; a text is empty where `log` (a file) or `show` (true, 'stdout' or
 * 'stderr') takes it.
 * Rejects with what to do about it where the program cannot be started, or fails and `mayFail` is not set.
 */
export function run(program, args, { cwd = root, env = process.env, log, show = false, mayFail = false, mend } = {}) {
  return new Promise((resolve, reject) => {
    const shown = (name) => show === true || show === name;
    const child = spawn(program, args, {
      cwd,
      env,
      stdio: ['ignore', ...['stdout', 'stderr'].map((name) => (shown(name) ? 'inherit' : 'pipe'))]
    });
    const said = { stdout: '', stderr: '' };
    let tail = '';
    const file = log && createWriteStream(log, { flags: 'a' });
    for (const name of ['stdout', 'stderr'].filter((name) => !shown(name))) {
      child[name].setEncoding('utf8');
      child[name].on('data', (text) => {
        tail = (tail + text).slice(-4_000);
        if (file) file.write(text);
        else said[name] += text;
      });
    }
    const fail = (why) =>
      reject(new Error([why, tail.trim(), mend, log && `The whole output is in ${log}.`].filter(Boolean).join('\n')));
    child.on('error', (error) => fail(`${program} cannot be started: ${error.message}`));
    child.on('close', (code, signal) => {
      file?.end();
      if (code === 0 || (mayFail && code !== null)) resolve({ code, ...said });
      else fail(`${[program, ...args].join(' ')} ended with ${signal ?? `code ${code}`}.`);
    });
  });
}

/** End a process and wait for it: by SIGTERM, and by SIGKILL where it does not end within `seconds`. */
export async function stop(child, seconds = 20) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), seconds * 1_000);
  await ended;
  clearTimeout(late);
}

/** Run `main`; an error ends the process with its message and code 1, never with a stack trace. */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    console.error(`\n${error.message}`);
    process.exitCode = 1;
  }
}
