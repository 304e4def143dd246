import { spawn } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { freePort } from './free-port.mjs';
import { jsonClient, untilAnswers } from './http-client.mjs';
import { end } from './programs.mjs';
import { extensionFolder, helpersFolder, node, python, venv } from './repository.mjs';

const token = 'bench';
const labextension = join(extensionFolder, 'jupyterlab_labscale', 'labextension');

/**
 * Starts JupyterLab with fresh settings on a project folder, with the extension or as if it were not installed: Lab
 * fetches even what is disabled, so the arm without must not have its folder on the path of lab extensions at all.
 * Other extensions of the environment are there in both arms.
 */
export async function startLab(folder, project, { withExtension }) {
  if (!existsSync(join(labextension, 'package.json'))) {
    throw new Error('the lab extension is not built: run `npm run build` first');
  }
  const installed = join(venv, 'share', 'jupyter', 'labextensions');
  const extensions = join(folder, 'labextensions');
  await mkdir(extensions, { recursive: true });
  for (const name of ['@jupyter-widgets/jupyterlab-manager', 'jupyterlab_pygments']) {
    if (!existsSync(join(installed, name))) continue;
    await mkdir(dirname(join(extensions, name)), { recursive: true });
    await symlink(join(installed, name), join(extensions, name));
  }
  if (withExtension) await symlink(labextension, join(extensions, 'jupyterlab-labscale'));
  const port = await freePort();
  const config = join(folder, 'lab.json');
  await writeFile(
    config,
    JSON.stringify({
      ServerApp: {
        ip: '127.0.0.1',
        port,
        port_retries: 0,
        open_browser: false,
        allow_root: true,
        root_dir: project,
        jpserver_extensions: { jupyterlab: true, jupyterlab_labscale: withExtension }
      },
      IdentityProvider: { token },
      LabApp: {
        labextensions_path: [extensions],
        // Neither arm may ask the network for news or newer versions.
        news_url: null,
        check_for_updates_class: 'jupyterlab.NeverCheckForUpdate'
      }
    })
  );
  const begun = performance.now();
  const child = spawn(python, ['-m', 'jupyterlab', '--config', config], {
    cwd: project,
    env: {
      PATH: `${dirname(node)}${delimiter}${process.env.PATH}`,
      HOME: folder,
      PYTHONPATH: [extensionFolder, helpersFolder].join(delimiter),
      JUPYTER_CONFIG_DIR: join(folder, 'config'),
      JUPYTER_DATA_DIR: join(folder, 'data'),
      JUPYTER_RUNTIME_DIR: join(folder, 'runtime')
    },
    stdio: ['ignore', 'ignore', 'pipe']
  });
  let problems = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (problems = (problems + text).slice(-6_000)));
  const client = jsonClient(`http://127.0.0.1:${port}`, { authorization: `token ${token}` });
  const stop = async () => {
    client.close();
    await end(child, { graceMs: 20_000 });
  };
  try {
    await untilAnswers(() => client.send('GET', '/api'), {
      everyMs: 10,
      stillRunning: () => child.exitCode === null && child.signalCode === null
    });
  } catch (error) {
    await stop();
    throw new Error(`JupyterLab did not start: ${problems}`, { cause: error });
  }
  return {
    begun,
    readySeconds: (performance.now() - begun) / 1_000,
    page: `http://127.0.0.1:${port}/lab?token=${token}`,
    get: (path) => client.send('GET', path),
    stop
  };
}
