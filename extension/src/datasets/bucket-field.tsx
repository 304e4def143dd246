import * as React from 'react';
import type { Operations } from '@labscale/schema';
import type { ILabscale } from '../tokens';
import { ErrorNotice } from '../ui/error-notice';
import { Field } from '../ui/form-dialog';

type Page = Operations['browseBucket']['result'];

export interface IBucketFieldProps {
  labscale: ILabscale;
  bucket: string;
  prefix: string;
  onChange: (change: { bucket?: string; prefix?: string }) => void;
}

/** Bucket and prefix, with a look at the folders there: one page at a time, whatever lies below them. */
export function BucketField(props: IBucketFieldProps): JSX.Element {
  const { labscale, bucket, prefix, onChange } = props;
  const { trans, client } = labscale;
  const [page, setPage] = React.useState<Page | null>(null);
  const [error, setError] = React.useState<unknown>(null);
  const asked = React.useRef(0);

  const look = React.useCallback(
    async (at: { bucket: string; prefix: string }, before?: Page) => {
      const turn = (asked.current += 1);
      try {
        const query: NonNullable<Operations['browseBucket']['query']> = { prefix: at.prefix, limit: 100 };
        if (at.bucket !== '') query.bucket = at.bucket;
        if (before?.nextCursor) query.cursor = before.nextCursor;
        const next = await client.call('browseBucket', { query });
        // An answer that comes after another was asked for is of no use.
        if (turn !== asked.current) return;
        setError(null);
        setPage(before ? { ...next, folders: [...before.folders, ...next.folders] } : next);
      } catch (refusal) {
        if (turn === asked.current) setError(refusal);
      }
    },
    [client]
  );
  const first = React.useRef({ bucket, prefix });
  React.useEffect(() => void look(first.current), [look]);
  const go = (change: { bucket?: string; prefix: string }) => {
    onChange(change);
    void look({ bucket, ...change });
  };

  const above = prefix.replace(/[^/]*\/?$/, '');
  return (
    <>
      {page !== null && page.buckets.length > 1 && (
        <Field id="labscale-register-bucket" label={trans.__('Bucket')}>
          <select
            id="labscale-register-bucket"
            className="jp-Labscale-Input"
            value={bucket === '' ? page.buckets[0] : bucket}
            onChange={(event) => go({ bucket: event.target.value, prefix: '' })}
          >
            {page.buckets.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </Field>
      )}
      <Field
        id="labscale-register-prefix"
        label={trans.__('Prefix')}
        help={trans.__('The objects below it are read where they are; nothing is copied.')}
      >
        <div className="jp-Labscale-Field-row">
          <input
            id="labscale-register-prefix"
            className="jp-Labscale-Input"
            value={prefix}
            placeholder={trans.__('study/scans/')}
            spellCheck={false}
            onChange={(event) => onChange({ prefix: event.target.value })}
          />
          <button type="button" className="jp-Labscale-Button" onClick={() => void look({ bucket, prefix })}>
            {trans.__('Look')}
          </button>
        </div>
      </Field>
      {error !== null && <ErrorNotice error={error} trans={trans} />}
      {page !== null && (
        <div className="jp-Labscale-BucketFolders" role="group" aria-label={trans.__('Folders there')}>
          {prefix !== '' && (
            <button type="button" className="jp-Labscale-Link" onClick={() => go({ prefix: above })}>
              {trans.__('Up')}
            </button>
          )}
          {page.folders.map((folder) => (
            <button key={folder} type="button" className="jp-Labscale-Link" onClick={() => go({ prefix: folder })}>
              {folder.slice(page.prefix.length)}
            </button>
          ))}
          {page.nextCursor !== null && (
            <button
              type="button"
              className="jp-Labscale-Link"
              onClick={() => void look({ bucket, prefix: page.prefix }, page)}
            >
              {trans.__('More…')}
            </button>
          )}
          <span className="jp-Labscale-dim">{objectsText(page, trans)}</span>
        </div>
      )}
    </>
  );
}

function objectsText({ folders, objects, nextCursor }: Page, trans: ILabscale['trans']): string {
  if (objects.length === 0) return folders.length === 0 && nextCursor === null ? trans.__('No data here.') : '';
  return nextCursor === null
    ? trans._n('%1 object here', '%1 objects here', objects.length)
    : trans.__('%1 objects here and more', objects.length);
}
