import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Gives work a temporary folder and things to close at its end, in reverse order, however it ends. */
export async function withScratch(work) {
  const folder = await mkdtemp(join(tmpdir(), 'labscale-bench-'));
  const closers = [];
  try {
    return await work({ folder, atEnd: (close) => closers.push(close) });
  } finally {
    for (const close of closers.reverse()) await close();
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
