import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerProcesses, mountsBelow } from './leftovers.mjs';

const mount = (path) => `36 35 98:0 / ${path} rw,noatime - ext4 /dev/x rw`;

test('mounts at and below our folders are found, the last first, and no others', () => {
  const table = [
    mount('/'),
    mount('/ours'),
    mount('/ours/a\\040b'),
    mount('/ours/a\\040b/c'),
    mount('/ours-not/d'),
    ''
  ].join('\n');
  assert.deepEqual(mountsBelow(table, ['/ours']), ['/ours/a b/c', '/ours/a b', '/ours']);
});

test('containers are ended with all that they started, from below, and those of another containerd are left alone', () => {
  const shim = (pid, socket) => ({
    pid,
    parent: 1,
    args: ['/usr/bin/containerd-shim-runc-v2', '-namespace', 'k8s.io', '-id', 'x', '-address', socket]
  });
  const all = [
    shim(10, '/ours.sock'),
    { pid: 11, parent: 10, args: ['pause'] },
    { pid: 12, parent: 11, args: ['sh'] },
    shim(20, '/theirs.sock'),
    { pid: 21, parent: 20, args: ['pause'] },
    { pid: 30, parent: 1, args: ['cat', '-address', '/ours.sock'] }
  ];
  assert.deepEqual(containerProcesses(all, '/ours.sock'), [12, 11, 10]);
});
