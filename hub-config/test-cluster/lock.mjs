// One `up`, `down` or build at a time.
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { identityOf, isRunning } from './process-identity.mjs';

function holder(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Run `work` while this process holds `file`; says for whom it waits. A lock whose process has ended holds nobody up. */
export async function underLock(file, work) {
  mkdirSync(dirname(file), { recursive: true });
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, JSON.stringify(identityOf(process.pid)));
  try {
    for (let said = false; ;) {
      try {
        // A link appears with its content, so that nobody reads a lock that is only half written.
        linkSync(mine, file);
        break;
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
      }
      const other = holder(file);
      if (other && !isRunning(other)) rmSync(file, { force: true });
      else if (other) {
        if (!said) console.log(`Waiting for process ${other.pid}, which holds ${file}.`);
        said = true;
        await wait(200);
      }
    }
  } finally {
    rmSync(mine, { force: true });
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}
