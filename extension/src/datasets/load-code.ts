/** The lines that load a snippet of a dataset version in a Python notebook. */
export function loadCode(datasetName: string, versionNumber: number, count: number): string {
  return [
    'import labscale',
    '',
    `snippet = labscale.snippet(${JSON.stringify(datasetName)}, version=${versionNumber}, count=${count})`,
    'shard = labscale.shard()'
  ].join('\n');
}
