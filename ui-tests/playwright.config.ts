import { defineConfig } from '@playwright/test';
import { existsSync } from 'node:fs';
import { testTimeout } from './helpers/patience';

const systemChromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));

export default defineConfig({
  testDir: './tests',
  timeout: testTimeout,
  expect: { timeout: 30_000 },
  workers: 1,
  fullyParallel: false,
  retries: 0,
  reporter: [
    ['list'] as const,
    ...(process.env['LABSCALE_UI_REPORT'] ? [['json', { outputFile: process.env['LABSCALE_UI_REPORT'] }] as const] : [])
  ],
  use: {
    actionTimeout: 20_000,
    // A small laptop: what fits here fits everywhere.
    viewport: { width: 1280, height: 800 },
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
  }
});
