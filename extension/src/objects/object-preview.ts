import type { IDocumentManager } from '@jupyterlab/docmanager';
import { Context, type DocumentRegistry, type IDocumentWidget } from '@jupyterlab/docregistry';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { DataObject } from '@labscale/schema';
import { Panel } from '@lumino/widgets';
import * as React from 'react';
import type { LabscaleClient } from '../api/client';
import { ErrorNotice } from '../ui/error-notice';
import { formatSize } from '../ui/format-size';
import { objectPath, type IObjectPlace } from './object-path';

/** Larger objects are shown only when asked for. */
const mostPreviewedBytes = 20_000_000;

export interface IObjectPreviewOptions {
  client: LabscaleClient;
  docManager: IDocumentManager;
  trans: TranslationBundle;
}

/** Shows one object with the viewer that Lab has for it, or says what it is. */
export class ObjectPreview extends Panel {
  constructor(private readonly _options: IObjectPreviewOptions) {
    super();
    this.addClass('jp-Labscale-Preview-body');
  }

  /** Shows an object; the same one again does nothing. */
  showObject(place: IObjectPlace, object: DataObject): void {
    const path = objectPath(place);
    if (path === this._path) return;
    this._path = path;
    this._clear();
    const { docManager, trans, client } = this._options;
    const { registry } = docManager;
    const known = registry.getFileTypesForPath(path).length > 0 || object.mediaType.startsWith('text/');
    const download = client.url('getObject', {
      params: { versionId: place.versionId },
      query: { shard: place.shardKey, path: place.path }
    });
    if (!known) {
      this._say(trans.__('No viewer for %1 (%2).', object.mediaType, formatSize(object.sizeBytes)), download, null);
    } else if (object.sizeBytes > mostPreviewedBytes) {
      this._say(trans.__('This object is large: %1.', formatSize(object.sizeBytes)), download, () =>
        this._view(path, registry)
      );
    } else this._view(path, registry);
  }

  clear(): void {
    this._path = null;
    this._clear();
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this._clear();
    super.dispose();
  }

  private _view(path: string, registry: DocumentRegistry): void {
    this._clear();
    const widgetFactory = registry.defaultRenderedWidgetFactory(path);
    const modelFactory = registry.getModelFactory(widgetFactory.modelName ?? 'text');
    if (!modelFactory) return;
    const context = new Context({
      manager: this._options.docManager.services,
      factory: modelFactory,
      path,
      // A notebook among the objects is to be read: it must not start a kernel.
      kernelPreference: { shouldStart: false, canStart: false, autoStartDefault: false }
    });
    this._context = context;
    const widget = widgetFactory.createNew(context) as IDocumentWidget;
    widget.addClass('jp-Labscale-Preview-document');
    widget.toolbar.hide();
    this.addWidget(widget);
    context.initialize(false).catch((error: unknown) => {
      if (this._context === context) this._fail(error, path, registry);
    });
  }

  private _fail(error: unknown, path: string, registry: DocumentRegistry): void {
    this._clear();
    const { trans } = this._options;
    this.addWidget(
      ReactWidget.create(React.createElement(ErrorNotice, { error, trans, onRetry: () => this._view(path, registry) }))
    );
  }

  private _say(text: string, download: string, show: (() => void) | null): void {
    const { trans } = this._options;
    const button = (label: string, onClick: () => void) =>
      React.createElement('button', { type: 'button', className: 'jp-Labscale-Button', onClick }, label);
    this.addWidget(
      ReactWidget.create(
        React.createElement(
          'div',
          { className: 'jp-Labscale-Notice' },
          React.createElement('div', { className: 'jp-Labscale-Notice-why' }, text),
          show && button(trans.__('Show it'), show),
          React.createElement(
            'a',
            { className: 'jp-Labscale-Link', href: download, download: '' },
            trans.__('Download')
          )
        )
      )
    );
  }

  private _clear(): void {
    for (const widget of [...this.widgets]) widget.dispose();
    this._context?.dispose();
    this._context = null;
  }

  private _path: string | null = null;
  private _context: Context<DocumentRegistry.IModel> | null = null;
}
