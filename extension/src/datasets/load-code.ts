import type { Snippet } from '@labscale/schema';

/** The lines that load a snippet in a Python notebook. */
export function loadCode(snippet: Snippet): string {
  return [
    'import labscale',
    '',
    `snippet = labscale.snippet(${JSON.stringify(snippet.id)})  # in a run: the shard of the task`,
    'shard = labscale.shard()'
  ].join('\n');
}
