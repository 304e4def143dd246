import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { ReactWidget } from '@jupyterlab/ui-components';
import { Panel } from '@lumino/widgets';
import * as React from 'react';
import { ObjectPreview, type IObjectPreviewOptions } from '../objects/object-preview';
import { objectPath } from '../objects/object-path';
import { formatSize } from '../ui/format-size';
import { useSignal } from '../ui/use-signal';
import type { DatasetPageModel } from './dataset-page-model';

export interface IShardPreviewOptions extends IObjectPreviewOptions {
  model: DatasetPageModel;
}

/** What is in the selected shard: its objects, and the chosen one as Lab shows it. */
export class ShardPreview extends Panel {
  constructor(private readonly _options: IShardPreviewOptions) {
    super();
    this.addClass('jp-Labscale-Preview');
    this._preview = new ObjectPreview(_options);
    // Connected before the head draws, so that the head finds what is shown.
    _options.model.changed.connect(this._update, this);
    const head = ReactWidget.create(
      <PreviewHead
        options={_options}
        shown={() => this._shown}
        choose={(path) => {
          this._chosen = path;
          this._update();
        }}
      />
    );
    head.addClass('jp-Labscale-Preview-head');
    this.addWidget(head);
    this.addWidget(this._preview);
    this._update();
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this._options.model.changed.disconnect(this._update, this);
    super.dispose();
  }

  private _update(): void {
    const { version, selectedShard } = this._options.model;
    if (!version || !selectedShard) {
      this._chosen = null;
      this._preview.clear();
      return;
    }
    const object =
      selectedShard.objects.find((one) => one.path === this._chosen) ??
      selectedShard.objects.find((one) => this._hasViewer(one.path)) ??
      selectedShard.objects[0];
    if (!object) return;
    this._shown = object.path;
    this._preview.showObject({ versionId: version.id, shardKey: selectedShard.key, path: object.path }, object);
  }

  private _hasViewer(path: string): boolean {
    const registry: DocumentRegistry = this._options.docManager.registry;
    return registry.getFileTypesForPath(path).length > 0;
  }

  private readonly _preview: ObjectPreview;
  private _chosen: string | null = null;
  private _shown = '';
}

interface IPreviewHeadProps {
  options: IShardPreviewOptions;
  shown: () => string;
  choose: (path: string) => void;
}

function PreviewHead(props: IPreviewHeadProps): JSX.Element {
  const { model, trans, docManager } = props.options;
  useSignal(model.changed);
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  const { version, selectedShard: shard } = model;
  if (!version || !shard) {
    return <div className="jp-Labscale-Notice jp-Labscale-dim">{trans.__('Choose a shard to look into it.')}</div>;
  }
  const path = props.shown();
  return (
    <>
      <div className="jp-Labscale-Preview-title" title={shard.key}>
        {shard.key}
      </div>
      <div className="jp-Labscale-Field-row">
        <select
          className="jp-Labscale-Input"
          aria-label={trans.__('Object of the shard')}
          value={path}
          onChange={(event) => {
            props.choose(event.target.value);
            draw();
          }}
        >
          {shard.objects.map((object) => (
            <option key={object.path} value={object.path}>
              {object.path} ({formatSize(object.sizeBytes)})
            </option>
          ))}
        </select>
        <button
          type="button"
          className="jp-Labscale-Button"
          onClick={() => docManager.openOrReveal(objectPath({ versionId: version.id, shardKey: shard.key, path }))}
        >
          {trans.__('Open')}
        </button>
      </div>
    </>
  );
}
