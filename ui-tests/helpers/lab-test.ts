import { expect, test as galataTest, type IJupyterLabPageFixture } from '@jupyterlab/galata';
import { startJupyterLab, type IJupyterLab } from './jupyter-lab';
import { LabscaleProject } from './labscale-project';

export { expect };
export type LabPage = IJupyterLabPageFixture;

interface IWorkerFixtures {
  /** A file that names its own gets a JupyterLab of its own, on a new project folder. */
  labName: string;
  /** Whether the examples are in that folder. */
  examples: boolean;
  lab: IJupyterLab;
}

interface ITestFixtures {
  project: LabscaleProject;
}

/** Galata's test, on a JupyterLab and a labscale server that only the tests of this file use. */
export const test = galataTest.extend<ITestFixtures, IWorkerFixtures>({
  labName: ['shared', { scope: 'worker', option: true }],
  examples: [false, { scope: 'worker', option: true }],
  lab: [
    async ({ labName, examples }, use) => {
      const lab = await startJupyterLab(labName, examples);
      await use(lab);
      await lab.stop();
    },
    { scope: 'worker', timeout: 90_000 }
  ],
  baseURL: async ({ lab }, use) => use(lab.url),
  project: async ({ lab, request }, use) => use(new LabscaleProject(lab.folder, request, lab.url))
});
