import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { underLock } from './lock.mjs';
import { identityOf } from './process-identity.mjs';

const folder = mkdtempSync(join(tmpdir(), 'labscale-lock-'));
after(() => rmSync(folder, { recursive: true }));

const onLinux = { skip: process.platform !== 'linux' && 'the test cluster runs on Linux only' };

test(
  'the lock of a process that has ended holds nobody up, even where its number is in use again',
  onLinux,
  async () => {
    const file = join(folder, 'stale');
    const mine = identityOf(process.pid);
    writeFileSync(file, JSON.stringify({ ...mine, startTicks: mine.startTicks - 1 }));
    assert.equal(await underLock(file, () => 'done'), 'done');
    assert.equal(existsSync(file), false);
  }
);

test('a second one waits until the first has ended, also where the first fails', onLinux, async () => {
  const file = join(folder, 'held');
  const order = [];
  let finish;
  const first = underLock(file, async () => {
    await new Promise((resolve) => (finish = resolve));
    order.push('first');
    throw new Error('failed');
  });
  const second = underLock(file, () => order.push('second'));
  while (!finish) await turn();
  finish();
  await assert.rejects(first, /failed/);
  await second;
  assert.deepEqual(order, ['first', 'second']);
});
