// One program of the cluster: brings it to run and to answer, and says what is wrong where it does not.
import { setTimeout as wait } from 'node:timers/promises';
import { lastLines, logFile, lookAt, start, stop } from './processes.mjs';

/**
 * `{name, command(): {program, args, env?} (a promise where it has to prepare something), trouble(): promise of undefined
 * or of why it does not answer, seconds?, stopping?}` is what each component's file exports: `seconds` is how long it may take
 * to answer, `stopping` how it is told to end ({signal?, seconds?}).
 */
async function answers(component) {
  try {
    return await component.trouble();
  } catch (error) {
    return error.message;
  }
}

/** See to it that a component runs and answers. Gives whether it had to be started. Rejects with the last lines of its log. */
export async function ensure(component) {
  const { name, seconds = 60 } = component;
  const found = lookAt(name);
  let started = false;
  if (found.state !== 'running' || (await answers(component))) {
    if (found.state === 'died')
      console.log(`${name} had died; starting it again. Its last lines were:\n${lastLines(name, 5)}`);
    if (found.state === 'running' && !(await becomesWell(component, 10))) {
      console.log(`${name} runs but does not answer; starting it again.`);
      await stop(name, component.stopping);
    }
    if (lookAt(name).state !== 'running') {
      if (!(await answers(component)))
        throw new Error(
          `${name} cannot start: something that this cluster did not start answers in its place. Stop that first.`
        );
      const { program, args, env } = await component.command();
      await start(name, program, args, { env });
      started = true;
    }
  }
  if (!(await becomesWell(component, seconds))) {
    const why =
      lookAt(name).state === 'running' ? `does not answer after ${seconds} s: ${await answers(component)}` : 'ended';
    throw new Error(`${name} ${why}\n${lastLines(name)}\nThe whole output is in ${logFile(name)}.`);
  }
  return started;
}

async function becomesWell(component, seconds) {
  for (let end = Date.now() + seconds * 1_000; ; await wait(50)) {
    if (lookAt(component.name).state !== 'running') return false;
    if (!(await answers(component))) return true;
    if (Date.now() > end) return false;
  }
}

/** One line about a component, and whether all is well with it. */
export async function describe(component) {
  const { state, pid } = lookAt(component.name);
  if (state === 'stopped') return { well: false, line: 'not running' };
  if (state === 'died') return { well: false, line: `died; its last lines:\n${indent(lastLines(component.name, 5))}` };
  const trouble = await answers(component);
  if (trouble) return { well: false, line: `runs (process ${pid}) but does not answer: ${trouble}` };
  return { well: true, line: `well (process ${pid})` };
}

const indent = (text) => text.replace(/^/gm, '    ');
