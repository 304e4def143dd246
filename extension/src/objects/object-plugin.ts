import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILabscale } from '../tokens';
import { shardIcon } from '../ui/icons';
import { ArrayViewerFactory } from './array-viewer';
import { ObjectDrive } from './object-drive';

/** Makes the objects of datasets openable by Lab's own viewers, and arrays by one of ours. */
export const objectPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-labscale:objects',
  description: 'The objects of datasets as a read-only drive, and a viewer for numpy arrays.',
  autoStart: true,
  requires: [ILabscale],
  activate: (app: JupyterFrontEnd, { client, trans }: ILabscale): void => {
    app.serviceManager.contents.addDrive(new ObjectDrive(client));
    app.docRegistry.addFileType({
      name: 'npy',
      displayName: trans.__('numpy array'),
      extensions: ['.npy'],
      mimeTypes: ['application/x-npy'],
      fileFormat: 'base64',
      contentType: 'file',
      icon: shardIcon
    });
    app.docRegistry.addWidgetFactory(
      new ArrayViewerFactory(trans, {
        name: 'Array',
        label: trans.__('Array'),
        modelName: 'base64',
        fileTypes: ['npy'],
        defaultFor: ['npy'],
        readOnly: true
      })
    );
  }
};
