import { existsSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { chromium } from '@playwright/test';
import { startLab } from './lab.mjs';
import { packageVersions } from './machine.mjs';
import { interleave, median, summary } from './measure.mjs';
import { python } from './repository.mjs';
import { withScratch } from './scratch.mjs';
import { startServer } from './server.mjs';

export const title = "JupyterLab's start until the launcher is shown, with the extension against without";
export const unit = 's';
export const sizes = { pairs: 9 };
export const roughSizes = { pairs: 3 };
export const goals = [
  { figure: 'ratio', says: 'whole start with over without', atMost: 1.05 },
  { figure: 'ratioPage', says: 'page with over without', atMost: 1.05 },
  { figure: 'requestsToOurApi', says: 'requests to our API before a panel is opened', atMost: 0, exact: true },
  {
    figure: 'eagerKilobytes',
    says: 'our files that Lab fetches at its start, as gzip',
    atMost: 150,
    unit: 'kB',
    exact: true
  }
];

const systemChromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));
const flags = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync'
];

/** Opens Lab in a browser context of its own, so with an empty cache, and waits until the launcher can be used. */
async function openLab(browser, page) {
  const context = await browser.newContext({ viewport: { width: 1_440, height: 900 } });
  const tab = await context.newPage();
  const ours = { requests: 0, bytes: 0 };
  const sizes = [];
  tab.on('requestfinished', (request) => {
    if (request.url().includes('/labscale/api/')) ours.requests += 1;
    if (!request.url().includes('/lab/extensions/jupyterlab-labscale/')) return;
    // As gzip, whether or not this server compresses: a hub's proxy does.
    sizes.push(
      request
        .response()
        .then((response) => response.body())
        .then((body) => (ours.bytes += gzipSync(body).length))
    );
  });
  const begun = performance.now();
  await tab.goto(page, { waitUntil: 'commit' });
  await tab.locator('.jp-LauncherCard').first().waitFor({ state: 'visible', timeout: 120_000 });
  await tab.locator('#jupyterlab-splash').waitFor({ state: 'detached', timeout: 120_000 });
  const shown = performance.now();
  await Promise.all(sizes);
  await context.close();
  return { begun, shown, ours };
}

export function measure({ pairs }) {
  return withScratch(async ({ folder, atEnd }) => {
    const browser = await chromium.launch({
      ...(systemChromium && { executablePath: systemChromium }),
      args: [...flags, ...(process.getuid() === 0 ? ['--no-sandbox'] : [])]
    });
    atEnd(() => browser.close());
    // A project that labscale has been used in: only there the extension starts the server by itself.
    const used = join(folder, 'used');
    await mkdir(used);
    await (await startServer(used)).stop();

    const parts = { ours: { ready: [], page: [] }, peer: { ready: [], page: [] } };
    const eager = { requests: 0, bytes: 0 };
    let sample = 0;
    const arm = (name, withExtension) => async () => {
      sample += 1;
      const own = join(folder, `lab-${sample}`);
      const project = join(own, 'project');
      await cp(used, project, { recursive: true });
      const lab = await startLab(own, project, { withExtension });
      try {
        const { begun, shown, ours } = await openLab(browser, lab.page);
        parts[name].ready.push(lab.readySeconds);
        parts[name].page.push((shown - begun) / 1_000);
        eager.requests = Math.max(eager.requests, ours.requests);
        eager.bytes = Math.max(eager.bytes, ours.bytes);
        return (shown - lab.begun) / 1_000;
      } finally {
        await lab.stop();
      }
    };
    const withIt = arm('ours', true);
    const without = arm('peer', false);
    // Files of both arms are in the page cache, and Python's bytecode is written, before the clock counts.
    await withIt();
    await without();
    for (const part of Object.values(parts)) part.ready.length = part.page.length = 0;
    const { ours, peer, ratio, control } = await interleave(pairs, { ours: withIt, peer: without });
    if (eager.bytes === 0) throw new Error('Lab did not fetch the extension: nothing was measured');
    const paired = (part) => median(parts.ours[part].map((value, i) => value / parts.peer[part][i]));
    return {
      ours,
      peer,
      control,
      figures: {
        ratio,
        ratioPage: paired('page'),
        ratioReady: paired('ready'),
        requestsToOurApi: eager.requests,
        eagerKilobytes: eager.bytes / 1_000
      },
      details: {
        page: { ours: summary(parts.ours.page), peer: summary(parts.peer.page) },
        ready: { ours: summary(parts.ours.ready), peer: summary(parts.peer.ready) }
      },
      versions: { ...(await packageVersions(python, ['jupyterlab', 'jupyter_server'])), chromium: browser.version() }
    };
  });
}
