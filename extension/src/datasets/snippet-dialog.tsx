import type { Analysis, Dataset, DatasetVersion, Snippet } from '@labscale/schema';
import * as React from 'react';
import { isAborted } from '../api/client';
import type { ILabscale } from '../tokens';
import { Field, showFormDialog } from '../ui/form-dialog';
import { formatCount } from '../ui/format-count';
import { describeError } from '../ui/error-notice';

export interface ISnippetChoice {
  snippet: Snippet;
  /** Where it opens: a new notebook, a copy of the notebook of an analysis, or the one that is open. */
  into: { kind: 'new' } | { kind: 'analysis'; analysisId: string } | { kind: 'current' };
}

interface ISnippetForm {
  count: string;
  filter: string;
  seed: string;
  /** `''` a new notebook, `current` the one that is open, else the id of an analysis. */
  into: string;
}

/** Asks how to cut a snippet and cuts it; gives null where it was cancelled. */
export async function showSnippetDialog(
  labscale: ILabscale,
  dataset: Dataset,
  version: DatasetVersion,
  filter: string,
  currentNotebook: string | null
): Promise<ISnippetChoice | null> {
  const { trans, client } = labscale;
  const { snippetSize } = await labscale.options();
  const form: ISnippetForm = {
    count: String(Math.min(snippetSize, Math.max(1, version.shardCount))),
    filter,
    seed: '',
    into: ''
  };
  let sent = '';
  let key = crypto.randomUUID();
  return showFormDialog<ISnippetChoice>({
    title: trans.__('Open snippet of %1', dataset.name),
    trans,
    accept: trans.__('Open in notebook'),
    body: () => <SnippetForm form={form} labscale={labscale} version={version} currentNotebook={currentNotebook} />,
    submit: async () => {
      const count = whole(form.count, 1, 10_000);
      if (count === null) throw new Error(trans.__('The number of shards must be a whole number from 1 to 10,000.'));
      const seed = form.seed.trim() === '' ? undefined : whole(form.seed, 0, 4_294_967_295);
      if (seed === null) throw new Error(trans.__('The seed must be a whole number from 0 to 4294967295, or empty.'));
      const body = {
        datasetVersionId: version.id,
        count,
        ...(form.filter.trim() ? { filter: form.filter.trim() } : {}),
        ...(seed === undefined ? {} : { seed })
      };
      if (JSON.stringify(body) !== sent) key = crypto.randomUUID();
      sent = JSON.stringify(body);
      const snippet = await client.call('createSnippet', { body, idempotencyKey: key });
      const { into } = form;
      if (into === 'current') return { snippet, into: { kind: 'current' } };
      return { snippet, into: into === '' ? { kind: 'new' } : { kind: 'analysis', analysisId: into } };
    }
  });
}

function whole(text: string, minimum: number, maximum: number): number | null {
  const value = Number(text.trim());
  return text.trim() !== '' && Number.isInteger(value) && value >= minimum && value <= maximum ? value : null;
}

interface ISnippetFormProps {
  form: ISnippetForm;
  labscale: ILabscale;
  version: DatasetVersion;
  currentNotebook: string | null;
}

function SnippetForm(props: ISnippetFormProps): JSX.Element {
  const { form, labscale, version, currentNotebook } = props;
  const { trans, client } = labscale;
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  const set = (change: Partial<ISnippetForm>) => {
    Object.assign(form, change);
    draw();
  };
  const [fits, setFits] = React.useState<string>('');
  const [problem, setProblem] = React.useState<string | null>(null);
  const [analyses, setAnalyses] = React.useState<Analysis[]>([]);
  const filter = form.filter.trim();

  React.useEffect(() => {
    const abort = new AbortController();
    const timer = window.setTimeout(() => {
      client
        .call('listShards', {
          params: { versionId: version.id },
          query: { filter: filter || undefined, limit: 1 },
          signal: abort.signal
        })
        .then(
          ({ total }) => {
            setProblem(null);
            setFits(trans.__('%1 of %2 shards fit', formatCount(total), formatCount(version.shardCount)));
          },
          (error: unknown) => {
            if (isAborted(error)) return;
            setFits('');
            setProblem(describeError(error, trans).why);
          }
        );
    }, 200);
    return () => {
      window.clearTimeout(timer);
      abort.abort();
    };
  }, [client, filter, trans, version]);

  React.useEffect(() => {
    const abort = new AbortController();
    client.call('listAnalyses', { query: { limit: 100 }, signal: abort.signal }).then(
      ({ items }) => setAnalyses(items.filter((analysis) => analysis.kind === 'notebook')),
      // The choice is an extra: without it a new notebook is still right.
      () => undefined
    );
    return () => abort.abort();
  }, [client]);

  return (
    <>
      <Field
        id="labscale-snippet-count"
        label={trans.__('Shards')}
        help={trans.__('A few: enough to see what changes.')}
      >
        <input
          id="labscale-snippet-count"
          className="jp-Labscale-Input"
          type="number"
          min={1}
          max={10_000}
          autoFocus
          value={form.count}
          onChange={(event) => set({ count: event.target.value })}
        />
      </Field>
      <Field id="labscale-snippet-filter" label={trans.__('From those that fit')} help={fits || ' '} problem={problem}>
        <input
          id="labscale-snippet-filter"
          className="jp-Labscale-Input"
          placeholder={
            version.entityNames[0] === undefined
              ? trans.__('all')
              : trans.__('all; or as %1', `${version.entityNames[0]}=…`)
          }
          spellCheck={false}
          value={form.filter}
          onChange={(event) => set({ filter: event.target.value })}
        />
      </Field>
      <Field
        id="labscale-snippet-seed"
        label={trans.__('Seed')}
        help={trans.__('The same seed picks the same shards. Left empty, one is chosen and recorded.')}
      >
        <input
          id="labscale-snippet-seed"
          className="jp-Labscale-Input"
          inputMode="numeric"
          value={form.seed}
          onChange={(event) => set({ seed: event.target.value })}
        />
      </Field>
      {(analyses.length > 0 || currentNotebook !== null) && (
        <Field id="labscale-snippet-into" label={trans.__('Notebook')}>
          <select
            id="labscale-snippet-into"
            className="jp-Labscale-Input"
            value={form.into}
            onChange={(event) => set({ into: event.target.value })}
          >
            <option value="">{trans.__('A new notebook')}</option>
            {currentNotebook !== null && (
              <option value="current">{trans.__('The open notebook %1', currentNotebook)}</option>
            )}
            {analyses.map((analysis) => (
              <option key={analysis.id} value={analysis.id}>
                {trans.__('A copy of %1', analysis.name)}
              </option>
            ))}
          </select>
        </Field>
      )}
    </>
  );
}
