import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What is open now, to be closed too where the measurement is broken off. */
const cleanups = new Set();

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await Promise.allSettled([...cleanups].map((cleanUp) => cleanUp()));
    process.exit(1);
  });
}

/** Gives work a temporary folder and things to close at its end, in reverse order, however it ends. */
export async function withScratch(work) {
  const folder = await mkdtemp(join(tmpdir(), 'labscale-bench-'));
  const closers = [];
  let cleaned;
  const clean = async () => {
    for (const close of closers.reverse()) await close();
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    cleanups.delete(cleanUp);
  };
  const cleanUp = () => (cleaned ??= clean());
  cleanups.add(cleanUp);
  try {
    return await work({ folder, atEnd: (close) => closers.push(close) });
  } finally {
    await cleanUp();
  }
}
