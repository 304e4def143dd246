import type { TranslationBundle } from '@jupyterlab/translation';
import type { Operations } from '@labscale/schema';
import * as React from 'react';
import { formatAge } from '../ui/format-age';
import { formatCount } from '../ui/format-count';

type FailureGroup = Operations['listFailures']['result']['items'][number];

export interface IFailureListProps {
  groups: readonly FailureGroup[];
  trans: TranslationBundle;
  nameOf: (index: number) => string;
  canRetry: boolean;
  onRetry: (group: FailureGroup) => void;
  onOpen: (taskIndex: number) => void;
}

/** Failures that are alike, together: how many, the first in time, and what it said. */
export function FailureList(props: IFailureListProps): JSX.Element {
  const { groups, trans, nameOf, canRetry } = props;
  return (
    <ul className="jp-Labscale-FailureList">
      {groups.map((group) => (
        <li key={group.id}>
          <details open={groups.length === 1}>
            <summary>
              <span className="jp-Labscale-Badge jp-mod-failed">{formatCount(group.count)}</span>
              <FailureTitle group={group} trans={trans} />
            </summary>
            <div className="jp-Labscale-FailureList-body">
              <div className="jp-Labscale-FailureList-actions">
                <span className="jp-Labscale-dim">
                  {trans.__('First %1, in %2', formatAge(group.firstAt), nameOf(group.firstTaskIndex))}
                </span>
                <button type="button" className="jp-Labscale-Button" onClick={() => props.onOpen(group.firstTaskIndex)}>
                  {trans.__('Show its log')}
                </button>
                {canRetry && (
                  <button type="button" className="jp-Labscale-Button" onClick={() => props.onRetry(group)}>
                    {trans.__('Retry this group with…')}
                  </button>
                )}
              </div>
              <pre className="jp-Labscale-Log" tabIndex={0}>
                {group.text}
              </pre>
            </div>
          </details>
        </li>
      ))}
    </ul>
  );
}

/** What it said comes first where the program said why it failed, else what happened to it. */
function FailureTitle(props: { group: FailureGroup; trans: TranslationBundle }): JSX.Element {
  const { group, trans } = props;
  const kind = exitKindText(group.exitKind, trans);
  if (group.exitKind === 'exception' || group.exitKind === 'exit-code') {
    return (
      <>
        <code className="jp-Labscale-grow">{group.title}</code>
        <span className="jp-Labscale-dim">{kind}</span>
      </>
    );
  }
  return (
    <>
      <span>{kind}</span>
      <code className="jp-Labscale-grow jp-Labscale-dim">{group.title}</code>
    </>
  );
}

function exitKindText(kind: FailureGroup['exitKind'], trans: TranslationBundle): string {
  const texts: Record<FailureGroup['exitKind'], string> = {
    succeeded: trans.__('succeeded'),
    'exit-code': trans.__('the program ended with an error'),
    exception: trans.__('an exception in the notebook'),
    signal: trans.__('ended by a signal'),
    'out-of-memory': trans.__('out of memory'),
    'time-limit': trans.__('over its time limit'),
    'kernel-died': trans.__('the kernel died'),
    'kernel-missing': trans.__('the kernel is not installed'),
    'output-missing': trans.__('an expected output is missing'),
    'output-empty': trans.__('an expected output is empty'),
    'output-unusable': trans.__('an output cannot be kept'),
    'shard-changed': trans.__('the shard changed since the plan'),
    'shard-missing': trans.__('the shard is gone'),
    'parameters-unusable': trans.__('the values could not be put in'),
    'disk-full': trans.__('the disk is full'),
    'store-unavailable': trans.__('the object store did not answer'),
    'worker-lost': trans.__('the worker was lost'),
    evicted: trans.__('the cluster took its place for something else'),
    deadline: trans.__('the run was over the time that the cluster gives it'),
    'image-missing': trans.__('the image could not be fetched'),
    'node-lost': trans.__('the machine it ran on was lost'),
    stopped: trans.__('stopped')
  };
  return texts[kind];
}
