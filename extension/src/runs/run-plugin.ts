import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILabscale } from '../tokens';

export const runPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-labscale:runs',
  autoStart: true,
  requires: [ILabscale],
  activate: (_app: JupyterFrontEnd, _labscale: ILabscale): void => {}
};
