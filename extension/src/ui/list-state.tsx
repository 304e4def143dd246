import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { ErrorNotice } from './error-notice';

export interface IListStateProps {
  trans: TranslationBundle;
  /** True until the first answer; later answers replace what is shown without a skeleton in between. */
  loading: boolean;
  error: unknown;
  empty: boolean;
  /** Says what this list will hold and what to do first. */
  emptyText: string;
  emptyAction?: { label: string; onClick: () => void };
  onRetry: () => void;
  children: React.ReactNode;
}

/** The four states of every list: error, loading, empty, full. */
export function ListState(props: IListStateProps): JSX.Element {
  const { trans, loading, error, empty, emptyText, emptyAction, onRetry, children } = props;
  if (error !== null && error !== undefined) return <ErrorNotice error={error} trans={trans} onRetry={onRetry} />;
  if (loading) return <Skeleton label={trans.__('Loading…')} />;
  if (!empty) return <>{children}</>;
  return (
    <div className="jp-Labscale-Notice">
      <div className="jp-Labscale-Notice-why">{emptyText}</div>
      {emptyAction && (
        <button type="button" className="jp-Labscale-Button jp-mod-accept" onClick={emptyAction.onClick}>
          {emptyAction.label}
        </button>
      )}
    </div>
  );
}

const skeletonWidths = ['72%', '58%', '81%', '64%'];

function Skeleton(props: { label: string }): JSX.Element {
  return (
    <div className="jp-Labscale-Skeleton" role="status" aria-label={props.label}>
      {skeletonWidths.map((width) => (
        <div key={width} className="jp-Labscale-Skeleton-row" style={{ width }} />
      ))}
    </div>
  );
}
