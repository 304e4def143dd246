import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILabscale } from '../tokens';
import { ObjectDrive } from './object-drive';

/** Makes the objects of datasets openable by Lab's own viewers. */
export const objectPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-labscale:objects',
  description: 'The objects of datasets as a read-only drive.',
  autoStart: true,
  requires: [ILabscale],
  activate: (app: JupyterFrontEnd, { client }: ILabscale): void => {
    app.serviceManager.contents.addDrive(new ObjectDrive(client));
  }
};
