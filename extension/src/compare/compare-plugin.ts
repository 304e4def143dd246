import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILabscale } from '../tokens';

export const comparePlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-labscale:compare',
  autoStart: true,
  requires: [ILabscale],
  activate: (_app: JupyterFrontEnd, _labscale: ILabscale): void => {}
};
