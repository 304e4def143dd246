import { faultOfKey } from '../objects/object-key.js';
import type { ObjectStore } from '../objects/object-store.js';
import type { AttemptName, AttemptReport } from '../runner/runner.js';

export function claimKey(runId: string, index: number): string {
  return `runs/${runId}/claims/${index}.json`;
}

export function reportKey(runId: string, { index, attempt }: AttemptName): string {
  return `runs/${runId}/attempts/${index}/${attempt}/report.json`;
}

/**
 * The attempt that holds the claim of a task, by its report; undefined where none does. A claim that cannot be read is
 * removed: it would win over every attempt to come.
 */
export async function readClaim(
  objects: ObjectStore,
  runId: string,
  index: number
): Promise<AttemptReport | undefined> {
  const key = claimKey(runId, index);
  const bytes = await objects.get(key);
  if (bytes === undefined) return undefined;
  const report = parse(bytes, runId, index);
  if (report === undefined) await objects.delete(key);
  return report;
}

/** What an attempt said at its end; undefined where it did not, or where that cannot be read. */
export async function readReport(
  objects: ObjectStore,
  runId: string,
  name: AttemptName
): Promise<AttemptReport | undefined> {
  const bytes = await objects.get(reportKey(runId, name));
  return bytes && parse(bytes, runId, name.index);
}

function parse(bytes: Buffer, runId: string, index: number): AttemptReport | undefined {
  try {
    const report: unknown = JSON.parse(bytes.toString('utf8'));
    return isReportOf(report, runId, index) ? report : undefined;
  } catch {
    // A loss of power can leave a name without its bytes, and what is no list cannot be walked.
    return undefined;
  }
}

/** What is decided and published by it is looked at; the rest is for people. */
export function isReportOf(value: unknown, runId: string, index: number): value is AttemptReport {
  const report = value as AttemptReport | null;
  return (
    report !== null &&
    typeof report === 'object' &&
    report.version === 1 &&
    report.runId === runId &&
    report.index === index &&
    Number.isSafeInteger(report.attempt) &&
    ['succeeded', 'failed', 'stopped'].includes(report.state) &&
    [report.exitKind, report.startedAt, report.finishedAt].every((text) => typeof text === 'string') &&
    typeof report.metrics === 'object' &&
    Object.values(report.metrics ?? {}).every(Number.isFinite) &&
    report.objects.every(
      ({ path, digest, mediaType }) =>
        typeof path === 'string' &&
        faultOfKey(path) === undefined &&
        /^sha256:[0-9a-f]{64}$/.test(digest) &&
        typeof mediaType === 'string'
    )
  );
}
