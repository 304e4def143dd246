import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { run, stop } from './child.mjs';
import { findPython } from './find-python.mjs';
import { root } from './repository.mjs';

const folder = mkdtempSync(join(tmpdir(), 'labscale-start-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const script = join(root, 'scripts', 'start.mjs');

function program(name, text) {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

async function withPython(path, work) {
  const before = process.env.PYTHON;
  process.env.PYTHON = path;
  try {
    await work();
  } finally {
    if (before === undefined) delete process.env.PYTHON;
    else process.env.PYTHON = before;
  }
}

test('a Python that is too old is named with its version', () =>
  withPython(program('old', 'echo 3.9.2'), () => assert.rejects(findPython(), /old is Python 3\.9\.2/)));

test('a Python without venv is refused with the package to install', () =>
  withPython(program('bare', 'echo 3.11.2; exit 1'), () =>
    assert.rejects(findPython(), /apt-get install python3\.11-venv/)
  ));

test('where there is no Python, what was looked for is said', () =>
  withPython(join(folder, 'none'), () => assert.rejects(findPython(), /None was found; looked for: .*none/)));

test('a port that is taken is refused before anything is set up', async () => {
  const taken = createServer();
  await new Promise((done) => taken.listen(0, '127.0.0.1', done));
  const { port } = taken.address();
  const { code, stderr } = await run(process.execPath, [script, '--port', String(port), '--no-browser'], {
    mayFail: true
  });
  await new Promise((done) => taken.close(done));
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`--port: ${port} is taken`));
});

test('a port that is no port is refused', async () => {
  const { code, stderr } = await run(process.execPath, [script, '--port', '70000'], { mayFail: true });
  assert.equal(code, 1);
  assert.match(stderr, /--port: 70000 is not a port/);
});

test(
  'JupyterLab opens on the demo project with its datasets registered, and stops with SIGTERM',
  { timeout: 300_000 },
  async () => {
    const probe = createServer();
    await new Promise((done) => probe.listen(0, '127.0.0.1', done));
    const { port } = probe.address();
    await new Promise((done) => probe.close(done));

    const child = spawn(
      process.execPath,
      [script, '--no-browser', '--port', String(port), '--project', join(folder, 'project')],
      {
        stdio: ['ignore', 'pipe', 'pipe']
      }
    );
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (said += text));
    try {
      const url = await new Promise((resolve, reject) => {
        createInterface({ input: child.stdout }).on('line', (line) => {
          said += `${line}\n`;
          const ready = /Labscale is ready: (\S+)/.exec(line);
          if (ready) resolve(new URL(ready[1]));
        });
        child.on('close', () => reject(new Error(`start ended\n${said}`)));
      });
      const headers = { Authorization: `token ${url.searchParams.get('token')}` };
      const answer = await fetch(`${url.origin}/labscale/api/v1/datasets`, { headers });
      assert.equal(answer.status, 200);
      const { items } = await answer.json();
      assert.deepEqual(items.map((dataset) => dataset.name).sort(), ['Brain slices', 'Handwritten digits', 'Sunspots']);
      const page = await (await fetch(`${url.origin}/lab`, { headers })).text();
      assert.match(page, /jupyterlab-labscale/);
      const stranger = await fetch(`${url.origin}/labscale/api/v1/datasets`);
      assert.equal(stranger.status, 403);
    } finally {
      await stop(child, 60);
    }
    assert.equal(child.signalCode, null, `start did not end by itself\n${said}`);
    await assert.rejects(fetch(`http://127.0.0.1:${port}/api`));
    assert.equal(existsSync(join(folder, 'project', '.labscale', 'server.json')), false, 'the labscale server goes on');
  }
);
