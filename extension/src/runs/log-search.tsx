import type { TranslationBundle } from '@jupyterlab/translation';
import type { Operations } from '@labscale/schema';
import * as React from 'react';
import { isAborted, type LabscaleClient } from '../api/client';
import { ErrorNotice } from '../ui/error-notice';

type Matches = Operations['searchLogs']['result'];

export interface ILogSearchProps {
  runId: string;
  client: LabscaleClient;
  trans: TranslationBundle;
  onOpen: (taskIndex: number, attempt: number) => void;
}

/** Finds a text in the logs of all tasks. */
export function LogSearch(props: ILogSearchProps): JSX.Element {
  const { runId, client, trans } = props;
  const [text, setText] = React.useState('');
  const [matches, setMatches] = React.useState<Matches | null>(null);
  const [error, setError] = React.useState<unknown>(null);
  const [busy, setBusy] = React.useState(false);
  const [asked, setAsked] = React.useState('');
  React.useEffect(() => {
    if (asked === '') {
      setMatches(null);
      return;
    }
    const abort = new AbortController();
    setBusy(true);
    client.call('searchLogs', { params: { runId }, query: { text: asked, limit: 200 }, signal: abort.signal }).then(
      (found) => {
        setMatches(found);
        setError(null);
        setBusy(false);
      },
      (reason: unknown) => {
        if (isAborted(reason) || abort.signal.aborted) return;
        setError(reason);
        setBusy(false);
      }
    );
    return () => abort.abort();
  }, [asked, runId, client]);
  return (
    <div className="jp-Labscale-LogSearch">
      <form
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          setAsked(text.trim());
        }}
      >
        <input
          type="search"
          className="jp-Labscale-Input"
          placeholder={trans.__('Search the logs of all tasks')}
          aria-label={trans.__('Search the logs of all tasks')}
          value={text}
          maxLength={500}
          onChange={(event) => {
            setText(event.target.value);
            if (event.target.value === '') setAsked('');
          }}
        />
        <button type="submit" className="jp-Labscale-Button" disabled={text.trim() === '' || busy}>
          {busy ? trans.__('Searching…') : trans.__('Search')}
        </button>
      </form>
      {error !== null && <ErrorNotice error={error} trans={trans} />}
      {matches !== null && error === null && (
        <div className="jp-Labscale-LogSearch-matches" role="list">
          {matches.items.length === 0 && (
            <div className="jp-Labscale-Field-help">{trans.__('No log has that text.')}</div>
          )}
          {matches.items.map((match) => (
            <button
              key={`${match.taskIndex} ${match.attempt} ${match.lineNumber}`}
              type="button"
              role="listitem"
              onClick={() => props.onOpen(match.taskIndex, match.attempt)}
            >
              <span className="jp-Labscale-LogSearch-where">
                {match.shardKey}:{match.lineNumber}
              </span>
              <code>{match.line}</code>
            </button>
          ))}
          {!matches.complete && (
            <div className="jp-Labscale-Field-help">{trans.__('There are more; search for something narrower.')}</div>
          )}
        </div>
      )}
    </div>
  );
}
