import { ReactWidget } from '@jupyterlab/apputils';
import { ProgressBar, TextItem } from '@jupyterlab/statusbar';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { useSignal } from '../ui/use-signal';
import { indexedPart } from './indexed-part';
import type { IndexingProgress } from './indexing-progress';

/** The status bar while datasets are indexed. */
export class IndexingStatus extends ReactWidget {
  constructor(
    private readonly _progress: IndexingProgress,
    private readonly _trans: TranslationBundle
  ) {
    super();
  }

  protected render(): JSX.Element {
    return <Status progress={this._progress} trans={this._trans} />;
  }
}

function Status(props: { progress: IndexingProgress; trans: TranslationBundle }): JSX.Element {
  const { progress, trans } = props;
  useSignal(progress.changed);
  const { current } = progress;
  const done = current.reduce((sum, one) => sum + indexedPart(one.version.indexing), 0);
  return (
    <div className="jp-Labscale-Status">
      <TextItem source={trans.__('Indexing %1', current.map((one) => one.name).join(', '))} />
      <ProgressBar percentage={current.length > 0 ? (100 * done) / current.length : 0} width={60} />
    </div>
  );
}
