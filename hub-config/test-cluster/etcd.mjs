// The cluster's memory.
import { troubleAt } from './answers.mjs';
import { inState, onLoopback } from './places.mjs';
import { programs } from './programs.mjs';

export const etcdUrl = `http://${onLoopback('etcd')}`;

export const etcd = {
  name: 'etcd',
  command: () => ({
    program: programs.etcd,
    args: [
      `--data-dir=${inState('etcd')}`,
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=http://${onLoopback('etcdPeers')}`,
      `--initial-advertise-peer-urls=http://${onLoopback('etcdPeers')}`,
      `--initial-cluster=default=http://${onLoopback('etcdPeers')}`,
      // A bench of 10,000 pods rewrites each a few times; without this the history of it fills the 2 GiB quota.
      '--auto-compaction-mode=periodic',
      '--auto-compaction-retention=5m',
      '--quota-backend-bytes=8589934592'
    ]
  }),
  trouble: () => troubleAt(`${etcdUrl}/health`)
};
