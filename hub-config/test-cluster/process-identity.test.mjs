import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { identityOf, isRunning, startTicks } from './process-identity.mjs';

const onLinux = { skip: process.platform !== 'linux' && 'the test cluster runs on Linux only' };

test('a process is known as itself for as long as it runs', onLinux, async () => {
  const child = spawn('sleep', ['60']);
  const identity = identityOf(child.pid);
  assert.equal(isRunning(identity), true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(isRunning(identity), false);
  assert.equal(identityOf(child.pid), undefined);
});

test('another process that got the number is another, and so is one of an earlier boot of the machine', onLinux, () => {
  const mine = identityOf(process.pid);
  assert.equal(isRunning({ ...mine, startTicks: mine.startTicks - 1 }), false);
  assert.equal(isRunning({ ...mine, bootId: 'of an earlier boot' }), false);
});

test('a program whose name holds spaces and parentheses is read right', onLinux, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'labscale-name-'));
  const program = join(folder, 'a) R (1 2');
  copyFileSync('/bin/sleep', program);
  chmodSync(program, 0o755);
  const child = spawn(program, ['60']);
  try {
    await once(child, 'spawn');
    assert.ok(startTicks(child.pid) >= startTicks(process.pid));
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
    rmSync(folder, { recursive: true });
  }
});
