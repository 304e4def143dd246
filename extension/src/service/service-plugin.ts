import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { ServerInfo } from '@labscale/schema';
import { LabscaleClient } from '../api/client';
import { EventStream } from '../api/event-stream';
import { ILabscale, type ILabscaleOptions } from '../tokens';

/** As in schema/plugin.json, for an application without a setting registry. */
const defaultOptions: ILabscaleOptions = { snippetSize: 4, trialSize: 0 };

/** Gives every panel the client and the events of the labscale server; asks it for nothing by itself. */
export const servicePlugin: JupyterFrontEndPlugin<ILabscale> = {
  // The id under which schema/plugin.json is found.
  id: 'jupyterlab-labscale:plugin',
  description: 'The client and the events of the labscale server.',
  autoStart: true,
  provides: ILabscale,
  optional: [ITranslator, ISettingRegistry],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null, settings: ISettingRegistry | null): ILabscale => {
    const client = new LabscaleClient(app.serviceManager.serverSettings);
    const events = new EventStream(client);
    let info: Promise<ServerInfo> | null = null;
    return {
      client,
      events,
      trans: (translator ?? nullTranslator).load('labscale'),
      serverInfo: () => {
        info ??= client.call('getServer').catch((error: unknown) => {
          info = null;
          throw error;
        });
        return info;
      },
      options: async () => {
        const loaded = await settings?.load(servicePlugin.id);
        return { ...defaultOptions, ...(loaded?.composite as Partial<ILabscaleOptions> | undefined) };
      }
    };
  }
};
