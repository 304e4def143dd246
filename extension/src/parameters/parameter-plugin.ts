import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILabscale } from '../tokens';

export const parameterPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-labscale:parameters',
  autoStart: true,
  requires: [ILabscale],
  activate: (_app: JupyterFrontEnd, _labscale: ILabscale): void => {}
};
