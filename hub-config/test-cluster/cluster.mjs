// `npm run cluster -- up [--kwok] | down | status | reset`: a real Kubernetes with its stores, on this machine.
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runMain } from '../../scripts/child.mjs';
import { down } from './down.mjs';
import { underLock } from './lock.mjs';
import { description, programCache, state } from './places.mjs';
import { status } from './status.mjs';
import { up } from './up.mjs';

const usage = `Usage: npm run cluster -- COMMAND
  up [--kwok]   start what does not run yet (with --kwok: nodes that pretend to run pods)
  down          stop everything; the data stays
  status        how each part is
  reset         stop everything and remove the data; built programs and image layers stay`;

const inTurn = (work) => underLock(`${programCache}/cluster.lock`, work);
const secondsSince = (begin) => `${((Date.now() - begin) / 1_000).toFixed(1)} s`;

const commands = {
  async up({ kwok }) {
    const begin = Date.now();
    const started = await inTurn(() => up({ withKwok: kwok }));
    console.log(
      started.length > 0
        ? `The cluster is up after ${secondsSince(begin)}; ${description} says how to use it.`
        : `The cluster was up already (${secondsSince(begin)}); ${description} says how to use it.`
    );
  },
  async down() {
    const begin = Date.now();
    await inTurn(down);
    console.log(`The cluster is down after ${secondsSince(begin)}.`);
  },
  async status() {
    const { lines, well } = await status();
    console.log(lines.join('\n'));
    return well ? 0 : 1;
  },
  async reset() {
    await inTurn(async () => {
      await down();
      rmSync(state, { recursive: true, force: true });
    });
    console.log('The cluster is down and its data is removed.');
  }
};

await runMain(() => {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { kwok: { type: 'boolean' } } });
  const command = positionals.length === 1 && commands[positionals[0]];
  if (!command || (values.kwok && positionals[0] !== 'up')) throw new Error(usage);
  return command(values);
});
