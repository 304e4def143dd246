import type { ParameterSet } from '@labscale/schema';
import * as React from 'react';
import { SetTick } from '../parameters/set-tick';
import type { ILabscale } from '../tokens';
import { showFormDialog } from '../ui/form-dialog';

/** Asks which sets of the same analysis to compare; gives version ids, or null where it was cancelled. */
export async function showChooseDialog(given: readonly string[], labscale: ILabscale): Promise<string[] | null> {
  const { client, trans } = labscale;
  const [first] = await Promise.all(
    given.slice(0, 1).map((versionId) => client.call('getParameterSetVersion', { params: { versionId } }))
  );
  const analysis =
    first === undefined
      ? undefined
      : await client.call('getAnalysisVersion', { params: { versionId: first.analysisVersionId } });
  const { items } = await client.call('listParameterSets', {
    query: { limit: 200, ...(analysis === undefined ? {} : { analysisId: analysis.analysisId }) }
  });
  const chosen = new Set(given);
  return showFormDialog<string[]>({
    title: trans.__('Compare parameter sets'),
    trans,
    accept: trans.__('Compare'),
    className: 'jp-Labscale-SaveDialog',
    body: () => <ChooseForm sets={items} chosen={chosen} labscale={labscale} />,
    submit: () =>
      chosen.size < 2 ? Promise.reject(new Error(trans.__('Choose at least two sets.'))) : Promise.resolve([...chosen])
  });
}

interface IChooseFormProps {
  sets: readonly ParameterSet[];
  chosen: Set<string>;
  labscale: ILabscale;
}

function ChooseForm(props: IChooseFormProps): JSX.Element {
  const { sets, chosen, labscale } = props;
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  if (sets.length < 2) {
    return (
      <div className="jp-Labscale-Field-help">
        {labscale.trans.__('There are fewer than two sets. Save other values, or fork this set, then compare them.')}
      </div>
    );
  }
  return (
    <div className="jp-Labscale-Promote-setList">
      {sets.map((set) => {
        const { id } = set.latestVersion;
        return (
          <SetTick
            key={set.id}
            set={set}
            checked={chosen.has(id)}
            trans={labscale.trans}
            onChange={() => {
              if (!chosen.delete(id)) chosen.add(id);
              draw();
            }}
          />
        );
      })}
    </div>
  );
}
