// Sees to it that the screen tests have a Chromium.
import { existsSync } from 'node:fs';
import { run } from './child.mjs';
import { nodeProgram } from './repository.mjs';

const systemPrograms = ['/usr/bin/chromium', '/usr/bin/chromium-browser'];

/** Give undefined where a Chromium is there or could be installed, else why not. */
export async function ensureChromium() {
  if (systemPrograms.some(existsSync)) return undefined;
  try {
    if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
      console.log('Installing chromium by apt-get ...');
      const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
      await run('apt-get', ['update', '-q'], { env });
      await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'chromium'], { env });
      if (systemPrograms.some(existsSync)) return undefined;
    }
    await run(nodeProgram('playwright'), ['install', 'chromium'], { show: true });
    return undefined;
  } catch (error) {
    return `no Chromium: ${error.message.split('\n')[0]} Install one as /usr/bin/chromium.`;
  }
}
