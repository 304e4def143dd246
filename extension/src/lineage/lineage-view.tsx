import type { CommandRegistry } from '@lumino/commands';
import type { Lineage } from '@labscale/schema';
import * as React from 'react';
import { isAborted } from '../api/client';
import { CommandIDs } from '../commands';
import type { ILabscale } from '../tokens';
import { ListState } from '../ui/list-state';
import { LineageGraph, type LineageNode } from './lineage-graph';

export interface ILineageViewProps {
  labscale: ILabscale;
  commands: CommandRegistry;
  /** Of a dataset version, snippet, analysis version, set version or run. */
  id: string;
}

/** Fetches the lineage of something and draws it; drawn anew when something was made. */
export function LineageView(props: ILineageViewProps): JSX.Element {
  const { labscale, commands, id } = props;
  const { trans, client, events } = labscale;
  const [lineage, setLineage] = React.useState<Lineage | null>(null);
  const [error, setError] = React.useState<unknown>(null);
  const [round, setRound] = React.useState(0);

  React.useEffect(() => {
    const abort = new AbortController();
    client.call('getLineage', { params: { id }, signal: abort.signal }).then(
      (found) => {
        setLineage(found);
        setError(null);
      },
      (failure: unknown) => {
        if (!isAborted(failure)) setError(failure);
      }
    );
    return () => abort.abort();
  }, [client, id, round]);

  React.useEffect(() => {
    const listening = [
      events.on('reset', () => setRound((one) => one + 1)),
      events.on('changed', (event) => {
        if (event.noun !== 'query') setRound((one) => one + 1);
      })
    ];
    return () => listening.forEach((one) => one.dispose());
  }, [events]);

  const open = (node: LineageNode) => {
    const run = (command: string, args: { [name: string]: string }) =>
      commands.hasCommand(command) ? () => void commands.execute(command, args) : undefined;
    if (node.noun === 'run') return run(CommandIDs.openRun, { runId: node.id });
    if (node.parentId === null) return undefined;
    if (node.noun === 'dataset-version') {
      return run(CommandIDs.openDataset, { datasetId: node.parentId, versionId: node.id });
    }
    if (node.noun === 'parameter-set-version') {
      return run(CommandIDs.openParameters, { parameterSetId: node.parentId, versionId: node.id });
    }
    return undefined;
  };

  return (
    <ListState
      trans={trans}
      loading={lineage === null}
      error={error}
      empty={lineage !== null && lineage.nodes.length < 2}
      emptyText={trans.__(
        'Nothing has been made from this yet. A snippet, a parameter set or a run over it will show here.'
      )}
      onRetry={() => setRound((one) => one + 1)}
    >
      {lineage && <LineageGraph lineage={lineage} trans={trans} open={open} />}
    </ListState>
  );
}
