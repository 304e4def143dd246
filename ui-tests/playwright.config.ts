import { defineConfig } from '@playwright/test';
import { existsSync, mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

// Playwright reads this file again in each of its workers: what the first reading chose is handed on by the environment.
if (process.env['LABSCALE_UI_PORT'] === undefined) {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
  const address = probe.address();
  process.env['LABSCALE_UI_PORT'] = String(typeof address === 'object' && address !== null ? address.port : 0);
  await new Promise((done) => probe.close(done));
}
process.env['LABSCALE_UI_PROJECT'] ??= mkdtempSync(join(tmpdir(), 'labscale-ui-'));
const baseURL = `http://127.0.0.1:${process.env['LABSCALE_UI_PORT']}`;
process.env['TARGET_URL'] = baseURL;

const systemChromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));
const repository = resolve(import.meta.dirname, '..');
const jupyter = join(repository, '.venv', 'bin', 'jupyter');

export default defineConfig({
  testDir: './tests',
  timeout: 420_000,
  expect: { timeout: 30_000 },
  workers: 1,
  fullyParallel: false,
  retries: 0,
  reporter: [
    ['list'] as const,
    ...(process.env['LABSCALE_UI_REPORT'] ? [['json', { outputFile: process.env['LABSCALE_UI_REPORT'] }] as const] : [])
  ],
  use: {
    baseURL,
    actionTimeout: 20_000,
    viewport: { width: 1440, height: 900 },
    // There is no ffmpeg on a plain machine, and a browser of Playwright's own cannot be had everywhere.
    video: 'off',
    trace: 'off',
    launchOptions: {
      ...(systemChromium ? { executablePath: systemChromium } : {}),
      args: [
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])
      ]
    }
  },
  webServer: {
    command: `"${jupyter}" lab --config "${join(import.meta.dirname, 'jupyter_server_test_config.py')}"`,
    url: `${baseURL}/lab`,
    timeout: 120_000,
    reuseExistingServer: false,
    gracefulShutdown: { signal: 'SIGTERM', timeout: 15_000 }
  }
});
