import type { Toolbar } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ServerInfo } from '@labscale/schema';
import { Token } from '@lumino/coreutils';
import type { Widget } from '@lumino/widgets';
import type { LabscaleClient } from './api/client';
import type { EventStream } from './api/event-stream';

/** The user's settings (schema/plugin.json). */
export interface ILabscaleOptions {
  snippetSize: number;
  /** 0: no trial. */
  trialSize: number;
}

/** What every panel needs to speak with the labscale server. */
export interface ILabscale {
  readonly client: LabscaleClient;
  readonly events: EventStream;
  readonly trans: TranslationBundle;
  /** What the server is and runs on; asked for once, on the first call. */
  serverInfo(): Promise<ServerInfo>;
  /** As they are now; read them when you need them. */
  options(): Promise<ILabscaleOptions>;
}
export const ILabscale = new Token<ILabscale>(
  'jupyterlab-labscale:ILabscale',
  'The labscale server: its operations, its events, and what it runs on.'
);

export interface ISidebarSection {
  /** Stable, for `reveal` and for restoring what was folded. */
  id: string;
  /** Datasets 100, Parameters 200, Runs 300. */
  rank: number;
  title: string;
  /** Must ask the server for nothing before it is visible (see ui/lazy-react-widget). */
  widget: Widget;
  toolbar?: Toolbar;
}

/** The one left sidebar of Labscale, an accordion of sections. */
export interface ISidebar {
  addSection(section: ISidebarSection): void;
  /** Opens the sidebar with this section unfolded, and gives it the focus unless `focus` is false. */
  reveal(id: string, focus?: boolean): void;
}
export const ISidebar = new Token<ISidebar>(
  'jupyterlab-labscale:ISidebar',
  'The left sidebar of Labscale, to which sections can be added.'
);
