import { spawnSync } from 'node:child_process';

/** A disk of its own, of a size, that a server sees at a folder; it goes with the server and its workers. */
export interface SmallDisk {
  folder: string;
  sizeBytes: number;
}

/** The command line below `sh`, after which `exec "$@"` keeps the process id. */
export function onSmallDisk({ folder, sizeBytes }: SmallDisk, command: string[]): string[] {
  const script = 'mount -t tmpfs -o "size=$1,mode=700" none "$2" && shift 2 && exec "$@"';
  return [
    'unshare',
    '--user',
    '--map-root-user',
    '--mount',
    'sh',
    '-c',
    script,
    'sh',
    String(sizeBytes),
    folder,
    ...command
  ];
}

/** Whether this machine lets a test have disks of its own; says so where not. */
export function canMount(): boolean {
  const { status } = spawnSync('unshare', [
    '--user',
    '--map-root-user',
    '--mount',
    'mount',
    '-t',
    'tmpfs',
    'none',
    '/mnt'
  ]);
  if (status !== 0)
    console.warn('Skipped: what needs a full disk, as this machine lets nobody mount one (unshare --user --mount).');
  return status === 0;
}
