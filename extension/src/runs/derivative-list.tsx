import type { TranslationBundle } from '@jupyterlab/translation';
import type { Derivative, Run } from '@labscale/schema';
import * as React from 'react';
import type { LabscaleClient } from '../api/client';
import { formatSize } from '../ui/format-size';
import { ListState } from '../ui/list-state';
import { VirtualList } from '../ui/virtual-list';
import { endedStates } from './run-model';

export interface IDerivativeListProps {
  run: Run;
  client: LabscaleClient;
  trans: TranslationBundle;
  /** Opens one object with Lab's own viewer. */
  onOpen: (shardKey: string, path: string) => void;
}

const pageLimit = 200;

/** What the run published, an object a row. */
export function DerivativeList(props: IDerivativeListProps): JSX.Element {
  const { run, client, trans } = props;
  const [items, setItems] = React.useState<readonly Derivative[]>([]);
  const [cursor, setCursor] = React.useState<string | null>(null);
  const [loading, setLoading] = React.useState(true);
  const [error, setError] = React.useState<unknown>(null);
  const [selected, setSelected] = React.useState<number | null>(null);
  const [round, setRound] = React.useState(0);
  const reading = React.useRef(false);
  const read = React.useCallback(
    async (from: string | null) => {
      if (reading.current) return;
      reading.current = true;
      try {
        const page = await client.call('listDerivatives', {
          params: { runId: run.id },
          query: { limit: pageLimit, ...(from === null ? {} : { cursor: from }) }
        });
        setItems((before) => (from === null ? page.items : [...before, ...page.items]));
        setCursor(page.nextCursor);
        setError(null);
      } catch (reason) {
        setError(reason);
      }
      reading.current = false;
      setLoading(false);
    },
    [client, run.id]
  );
  const published = run.derivatives?.datasetVersionId ?? null;
  React.useEffect(() => {
    if (published !== null) void read(null);
  }, [published, read, round]);
  const rows = React.useMemo(() => items.flatMap((item) => item.objects.map((object) => ({ item, object }))), [items]);
  const onRange = React.useCallback(
    (_: number, last: number) => {
      if (cursor !== null && last >= rows.length - 20) void read(cursor);
    },
    [cursor, rows.length, read]
  );
  if (published === null) {
    return (
      <div className="jp-Labscale-Field-help">
        {endedStates.has(run.state)
          ? trans.__('This run has published nothing.')
          : trans.__('They appear here, all at once, when the run has published them.')}
      </div>
    );
  }
  return (
    <ListState
      trans={trans}
      loading={loading}
      error={error}
      empty={rows.length === 0}
      emptyText={trans.__(
        'The tasks wrote nothing. In the notebook, write into the folder that labscale.output() gives.'
      )}
      onRetry={() => setRound(round + 1)}
    >
      <VirtualList
        className="jp-Labscale-DerivativeList"
        label={trans.__('Derivatives')}
        role="listbox"
        count={rows.length}
        rowHeight={24}
        rowKey={(row) => `${rows[row]?.item.taskIndex} ${rows[row]?.object.path}`}
        selectedIndex={selected}
        onSelect={setSelected}
        onOpen={(row) => {
          const found = rows[row];
          if (found) props.onOpen(found.item.shardKey, found.object.path);
        }}
        onRange={onRange}
        row={(row) => {
          const found = rows[row];
          return {
            title: trans.__('Open %1', found?.object.path ?? ''),
            content: found && (
              <>
                <span className="jp-Labscale-grow">{found.item.shardKey}</span>
                <span className="jp-Labscale-grow">{found.object.path}</span>
                <span className="jp-Labscale-dim">{formatSize(found.object.sizeBytes)}</span>
                {found.item.reusedFrom !== null && <span className="jp-Labscale-Badge">{trans.__('reused')}</span>}
              </>
            )
          };
        }}
      />
    </ListState>
  );
}
