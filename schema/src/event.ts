import { Type, type Static } from 'typebox';
import { noun, ref, strict } from './noun.js';
import { Id } from './primitives.js';
import { Run, TaskCounts, runStates } from './run.js';
import { DatasetVersion } from './dataset.js';

/** Server-sent events; `id:` of the stream is resumed by Last-Event-ID. Each has its type in `event:` and here. */
export const ServerEvent = noun(
  'ServerEvent',
  'A change, as it goes over the event stream.',
  Type.Union([
    strict({ type: Type.Literal('reset') }, { description: 'Events were missed: read anew what is shown.' }),
    strict({
      type: Type.Literal('changed'),
      noun: Type.Enum(['dataset', 'query', 'snippet', 'analysis', 'parameter-set'] as const),
      id: Id
    }),
    strict({ type: Type.Literal('indexing'), datasetId: Id, version: ref(DatasetVersion) }),
    strict({ type: Type.Literal('run'), run: ref(Run) }),
    strict({
      type: Type.Literal('tasks'),
      runId: Id,
      runState: Type.Enum(runStates),
      counts: TaskCounts,
      states: Type.Record(
        Type.String({ description: 'A task state.' }),
        Type.String({ description: 'Index ranges that went to it, as `0-4,7`.' })
      ),
      progress: Type.Record(Type.String(), Type.Number(), {
        description: 'Running task index to its progress, 0 to 1.'
      })
    })
  ])
);
export type ServerEvent = Static<typeof ServerEvent>;
