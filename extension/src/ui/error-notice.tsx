import { ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { ApiError } from '../api/client';

export interface IErrorText {
  what: string;
  why: string;
  mend: string | null;
}

/** What happened, why, and what to do about it, for anything that a call may throw. */
export function describeError(error: unknown, trans: TranslationBundle): IErrorText {
  if (error instanceof ApiError) return { what: error.title, why: error.detail, mend: error.mend ?? null };
  if (error instanceof ServerConnection.NetworkError) {
    return {
      what: trans.__('The Jupyter server does not answer'),
      why: trans.__('The connection was lost or the server was stopped.'),
      mend: trans.__('Check that JupyterLab is still running, then try again.')
    };
  }
  if (error instanceof ServerConnection.ResponseError) {
    const status = error.response.status;
    return status === 403 || status === 401
      ? {
          what: trans.__('You are signed out'),
          why: trans.__('The Jupyter server refused the request (%1).', status),
          mend: trans.__('Reload the page and sign in.')
        }
      : {
          what: trans.__('The request failed'),
          why: trans.__('The Jupyter server answered with %1: %2', status, error.message),
          mend: null
        };
  }
  return {
    what: trans.__('Something went wrong'),
    why: error instanceof Error ? error.message : String(error),
    mend: null
  };
}

export interface IErrorNoticeProps {
  error: unknown;
  trans: TranslationBundle;
  onRetry?: () => void;
}

export function ErrorNotice(props: IErrorNoticeProps): JSX.Element {
  const { error, trans, onRetry } = props;
  const { what, why, mend } = describeError(error, trans);
  return (
    // Not `jp-mod-error`: a dialog of Lab that has one of that class in it cannot be accepted.
    <div className="jp-Labscale-Notice jp-mod-problem" role="alert">
      <div className="jp-Labscale-Notice-head">
        <div className="jp-Labscale-Notice-what">{what}</div>
        {onRetry && (
          <button type="button" className="jp-Labscale-Button" onClick={onRetry}>
            {trans.__('Retry')}
          </button>
        )}
      </div>
      <div className="jp-Labscale-Notice-why">{why}</div>
      {mend !== null && <div className="jp-Labscale-Notice-mend">{mend}</div>}
    </div>
  );
}
