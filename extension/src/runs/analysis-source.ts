import type { AnalysisVersion } from '@labscale/schema';

/** Where the program of a version comes from, in one line: its notebook, its command line, or its image. */
export function analysisSource(version: AnalysisVersion): string {
  if (version.image !== null) return version.image.reference;
  return version.path ?? version.command?.join(' ') ?? version.kind;
}
