import { nullTranslator } from '@jupyterlab/translation';
import type { AnalysisVersion, Run } from '@labscale/schema';
import * as React from 'react';
import { act } from 'react';
import { exampleClient, examples } from '../api/example-answers';
import { RunAbout } from './run-about';
import { mountedRoot } from '../ui/mounted-root';

const trans = nullTranslator.load('labscale');
const run = examples<Run>('Run');
const notebook = examples<AnalysisVersion>('AnalysisVersion');
const digest = `sha256:${'ab'.repeat(32)}`;
const container: AnalysisVersion = {
  ...notebook,
  ...{ kind: 'container', path: null, kernel: null, adapter: 'bids-app', command: ['--fd', '{fd}'] },
  image: { reference: 'registry.example/qc:1', digest, entrypoint: ['/run'], workingDirectory: null }
};

describe('RunAbout', () => {
  const place = mountedRoot();
  const show = async (version: AnalysisVersion, of: Run = run) => {
    const { client } = exampleClient({ getAnalysisVersion: () => version });
    const opened = jest.fn();
    const props = { run: of, client, trans, onNotebook: opened, onSet: jest.fn(), onDataset: jest.fn() };
    await act(async () => place.root.render(<RunAbout {...props} />));
    await act(async () => new Promise((resolve) => setTimeout(resolve, 0)));
    return opened;
  };
  const row = (title: string) =>
    [...place.host.querySelectorAll('tr')]
      .find((one) => one.querySelector('th')?.textContent === title)
      ?.querySelector('td');

  it('opens the notebook of a notebook', async () => {
    const opened = await show(notebook);
    row('Analysis')?.querySelector('button')?.click();
    expect(opened).toHaveBeenCalled();
    expect(row('Image')).toBeUndefined();
    expect(row('Each pod')).toBeUndefined();
  });

  it('shows the image of a container with its digest, and what is run in it', async () => {
    await show(container, { ...run, shardsPerPod: 12, resources: { ...run.resources, gpus: 2 } });
    expect(row('Analysis')?.querySelector('button')).toBeNull();
    expect(row('Image')?.textContent).toBe(`registry.example/qc:1 ${digest}`);
    expect(row('Command line')?.textContent).toBe('/run --fd {fd} (as a BIDS App)');
    expect(row('Each pod')?.textContent).toBe('12 shards');
    expect(row('Each task')?.textContent).toContain('2 GPUs');
  });
});
