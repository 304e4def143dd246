import type { Dataset } from '@labscale/schema';
import * as React from 'react';
import type { ILabscale } from '../tokens';
import { Field, showFormDialog } from '../ui/form-dialog';

/** Asks for which dataset a set version is to be the default, and makes it so; again for the same one takes it away. */
export async function showDefaultDialog(versionId: string, labscale: ILabscale): Promise<Dataset | null> {
  const { trans, client } = labscale;
  const { items } = await client.call('listDatasets', { query: { limit: 200 } });
  const choice = { datasetId: items[0]?.id ?? '' };
  return showFormDialog<Dataset>({
    title: trans.__('Default for a dataset'),
    trans,
    accept: trans.__('Set'),
    body: () => <DefaultForm choice={choice} datasets={items} versionId={versionId} labscale={labscale} />,
    submit: async () => {
      const dataset = items.find(({ id }) => id === choice.datasetId);
      if (!dataset) throw new Error(trans.__('There is no dataset yet: register a folder first.'));
      return client.call('updateDataset', {
        params: { datasetId: dataset.id },
        body: {
          defaultParameterSetVersionId: dataset.defaultParameterSetVersionId === versionId ? null : versionId
        }
      });
    }
  });
}

interface IDefaultFormProps {
  choice: { datasetId: string };
  datasets: readonly Dataset[];
  versionId: string;
  labscale: ILabscale;
}

function DefaultForm(props: IDefaultFormProps): JSX.Element {
  const { choice, datasets, versionId, labscale } = props;
  const { trans } = labscale;
  const [datasetId, setDatasetId] = React.useState(choice.datasetId);
  const dataset = datasets.find(({ id }) => id === datasetId);
  const help =
    dataset?.defaultParameterSetVersionId === versionId
      ? trans.__('These values are its default already; this takes that away.')
      : dataset && dataset.defaultParameterSetVersionId !== null
        ? trans.__('Takes the place of the default it has now.')
        : trans.__('New snippets and runs of this dataset begin with these values.');
  return (
    <Field id="labscale-default-dataset" label={trans.__('Dataset')} help={help}>
      <select
        id="labscale-default-dataset"
        className="jp-Labscale-Input"
        value={datasetId}
        onChange={(event) => {
          choice.datasetId = event.target.value;
          setDatasetId(event.target.value);
        }}
      >
        {datasets.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </Field>
  );
}
