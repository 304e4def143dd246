import { createHash } from 'node:crypto';
import type {
  AnalysisVersion,
  Operations,
  ParameterComparison,
  ParameterSet,
  ParameterSetVersion,
  ParameterValues,
  Provenance
} from '@labscale/schema';
import type { AnalysisRepository } from '../analyses/analysis-repository.js';
import { unusableNames } from '../analyses/parameters-cell.js';
import type { EventLog } from '../events/event-log.js';
import { decodeCursor, encodeCursor } from '../http/cursor.js';
import type { User } from '../http/identify.js';
import type { Access } from '../metadata/access.js';
import { canonicalJson } from '../metadata/canonical-json.js';
import { parseFilter } from '../metadata/filter.js';
import { prefixOf } from '../metadata/ids.js';
import { searchWords } from '../metadata/search-words.js';
import type { ObjectStore } from '../objects/object-store.js';
import { ProblemError, notFound } from '../problem-error.js';
import type { NewSetVersion, ParameterRepository } from './parameter-repository.js';
import type { Order, ParameterSearch } from './parameter-search.js';
import { changedNames, completeValues } from './parameter-values.js';
import { readThumbnail, thumbnailKey } from './thumbnail.js';

type NewParameterSet = Operations['createParameterSet']['body'];
type GivenVersion = Operations['createParameterSetVersion']['body'];

const unknownProvenance: Provenance = {
  notebookPath: null,
  notebookDigest: null,
  kernelName: null,
  languageVersion: null,
  packages: null,
  gitCommit: null,
  gitDirty: null,
  datasetVersionId: null,
  snippetId: null,
  capturedFrom: [],
  secondsPerShard: null
};
const mostMetrics = 1_000;

export class ParameterService {
  constructor(
    private readonly repository: ParameterRepository,
    private readonly search: ParameterSearch,
    private readonly analyses: AnalysisRepository,
    private readonly objects: ObjectStore,
    private readonly access: Access,
    private readonly events: EventLog
  ) {}

  async create(user: User, given: NewParameterSet): Promise<ParameterSet> {
    const { name, note = '', tags = [] } = given;
    const analysisVersion = await this.#analysisVersion(user, given.analysisVersionId);
    const { analysisId } = analysisVersion;
    const version = await this.#newVersion(user, analysisVersion, given);
    const set = { analysisId, name, note, tags, parentVersionId: null, changedFromParent: [] };
    const made = await this.repository.insert(user.name, set, version);
    if (made === undefined) throw await this.#nameTaken(user.name, analysisId, name);
    this.#changed(made.owner, made.id);
    return made;
  }

  /** The next version of a set. Its analysis may have a newer version by now, but not be another one. */
  async createVersion(user: User, id: string, given: GivenVersion): Promise<ParameterSet> {
    const row = await this.repository.findRow(id);
    if (row === undefined) throw notFound(id);
    const analysisVersion = await this.#analysisVersion(user, given.analysisVersionId);
    if (analysisVersion.analysisId !== row.analysisId) {
      throw new ProblemError('BODY_INVALID', `The set "${row.name}" belongs to another analysis.`, {
        field: 'body/analysisVersionId',
        mend: 'Save a set of its own for this analysis.'
      });
    }
    const version = await this.#newVersion(user, analysisVersion, given);
    await this.repository.insertVersion(user.name, row, version, (before) => changedNames(before, version.values));
    this.#changed(row.owner, id);
    return this.get(id);
  }

  /**
   * A set of the user's own that starts from a version, the latest where none is named; `values` replace those of the
   * parent one by one. Metrics, provenance and thumbnail speak of the values, so they come along only where none changed.
   */
  async fork(user: User, id: string, given: Operations['forkParameterSet']['body']): Promise<ParameterSet> {
    const { name, note = '', tags = [] } = given;
    const set = await this.get(id);
    const parent = given.versionId === undefined ? set.latestVersion : await this.#version(given.versionId);
    if (parent.parameterSetId !== id) {
      throw new ProblemError('NOT_FOUND', `The set "${set.name}" has no version ${parent.id}.`, {
        field: 'body/versionId',
        mend: 'Take an id from the versions of this set.'
      });
    }
    const analysisVersion = await this.analyses.findVersion(parent.analysisVersionId);
    if (analysisVersion === undefined) throw notFound(parent.analysisVersionId);
    const values = completeValues(analysisVersion.contract, { ...parent.values, ...given.values });
    const changedFromParent = changedNames(parent.values, values);
    const same = changedFromParent.length === 0;
    const version: NewSetVersion = {
      analysisVersionId: parent.analysisVersionId,
      values,
      digest: digestOf(values),
      metrics: same ? parent.metrics : {},
      provenance: same ? parent.provenance : unknownProvenance,
      thumbnail: same ? ((await this.repository.findThumbnail(parent.id)) ?? null) : null
    };
    const { analysisId } = set;
    const made = await this.repository.insert(
      user.name,
      { analysisId, name, note, tags, parentVersionId: parent.id, changedFromParent },
      version
    );
    if (made === undefined) throw await this.#nameTaken(user.name, analysisId, name);
    this.#changed(made.owner, made.id);
    return made;
  }

  async get(id: string): Promise<ParameterSet> {
    const set = await this.repository.find(id);
    if (set === undefined) throw notFound(id);
    return set;
  }

  async update(id: string, change: Operations['updateParameterSet']['body']): Promise<ParameterSet> {
    const set = await this.get(id);
    if (!(await this.repository.update(id, change))) {
      throw await this.#nameTaken(set.owner, set.analysisId, change.name ?? set.name);
    }
    this.#changed(set.owner, id);
    return this.get(id);
  }

  async delete(id: string): Promise<undefined> {
    const row = await this.repository.findRow(id);
    if (row === undefined) throw notFound(id);
    const deletion = await this.repository.delete(row);
    if (!deletion.done) {
      const what = deletion.because === 'run' ? 'A run used' : 'Another set was forked from';
      throw new ProblemError('STATE_CONFLICT', `${what} the set "${row.name}", which tells how that came to be.`, {
        field: 'parameterSetId',
        mend: 'Keep it; a tag can mark it as not to be used.'
      });
    }
    this.#changed(row.owner, id);
    for (const datasetId of deletion.datasetIds) {
      this.events.publish(row.owner, { type: 'changed', noun: 'dataset', id: datasetId });
    }
    return undefined;
  }

  /** Words of `search` and of the filter are looked for in name, note and tags; comparisons in values and metrics. */
  async list(
    user: User,
    query: Operations['listParameterSets']['query']
  ): Promise<Operations['listParameterSets']['result']> {
    const limit = query.limit ?? 50;
    const orderBy = query.orderBy ?? 'created';
    const terms = parseFilter(query.filter ?? '');
    const after = decodeCursor(query.cursor, `parameter-sets ${orderBy}`, isPlace);
    const { places, total } = await this.search.find({
      owner: user.name,
      analysisId: query.analysisId,
      words: [
        ...searchWords(query.search),
        ...terms.flatMap((term) => (term.kind === 'word' ? [term.text.toLowerCase()] : []))
      ],
      comparisons: terms.filter((term) => term.kind === 'comparison'),
      order: orderOf(orderBy),
      after: after && { part: after[0], key: after[1], setNumber: after[2] },
      limit: limit + 1
    });
    const page = places.slice(0, limit);
    const { sets, taken } = await this.repository.findByNumbers(page.map(({ setNumber }) => setNumber));
    const last = taken < places.length ? page[taken - 1] : undefined;
    const nextCursor = last ? encodeCursor(`parameter-sets ${orderBy}`, last.part, last.key, last.setNumber) : null;
    return { items: sets, nextCursor, total };
  }

  async listVersions(
    id: string,
    query: Operations['listParameterSetVersions']['query']
  ): Promise<Operations['listParameterSetVersions']['result']> {
    const limit = query.limit ?? 50;
    const isNumber = (parts: unknown[]): parts is [number] => typeof parts[0] === 'number';
    const after = decodeCursor(query.cursor, 'parameter-set-versions', isNumber);
    const { items, total } = await this.repository.listVersions(id, {
      ...(after === undefined ? {} : { before: after[0] }),
      limit: limit + 1
    });
    const page = items.slice(0, limit);
    const last = items.length > limit ? page.at(-1) : undefined;
    return { items: page, nextCursor: last ? encodeCursor('parameter-set-versions', last.number) : null, total };
  }

  async getVersion(id: string): Promise<ParameterSetVersion> {
    const { name: _, ...version } = await this.#version(id);
    return version;
  }

  async compare(user: User, ids: readonly string[]): Promise<ParameterComparison> {
    const versions: ParameterComparison['versions'] = [];
    for (const id of ids) {
      if (prefixOf(id) !== 'pv') throw notFound(id);
      await this.access.require(user, 'view', id);
      const { name, ...version } = await this.#version(id);
      versions.push({ parameterSetName: name, version });
    }
    const names = new Set(versions.flatMap(({ version }) => Object.keys(version.values)));
    const differing: string[] = [];
    const same: string[] = [];
    for (const name of names) {
      const texts = versions.map(({ version: { values } }) =>
        Object.hasOwn(values, name) ? canonicalJson(values[name]) : undefined
      );
      (texts.every((text) => text === texts[0]) ? same : differing).push(name);
    }
    const metricNames = [...new Set(versions.flatMap(({ version }) => Object.keys(version.metrics)))];
    return { versions, differing, same, metricNames };
  }

  async thumbnail(versionId: string): Promise<{ mediaType: string; bytes: Buffer }> {
    const thumbnail = await this.repository.findThumbnail(versionId);
    if (thumbnail === undefined) {
      throw new ProblemError('NOT_FOUND', 'This version was saved without a thumbnail.', { field: 'versionId' });
    }
    const bytes = await this.objects.get(thumbnailKey(thumbnail.digest));
    if (bytes === undefined) {
      throw new ProblemError('NOT_FOUND', 'The thumbnail of this version is no longer in the object store.', {
        field: 'versionId'
      });
    }
    return { mediaType: thumbnail.mediaType, bytes };
  }

  async #newVersion(user: User, analysisVersion: AnalysisVersion, given: GivenVersion): Promise<NewSetVersion> {
    const values = completeValues(analysisVersion.contract, given.values);
    const metrics = given.metrics ?? {};
    checkMetrics(metrics);
    const provenance = { ...unknownProvenance, ...given.provenance };
    await this.#mustBe(user, 'dv', 'datasetVersionId', provenance.datasetVersionId);
    await this.#mustBe(user, 'sn', 'snippetId', provenance.snippetId);
    const thumbnail = given.thumbnail === undefined ? null : readThumbnail(given.thumbnail);
    if (thumbnail !== null) {
      await this.objects.putIfAbsent(thumbnailKey(thumbnail.digest), thumbnail.bytes);
      await this.objects.sync();
    }
    return { analysisVersionId: analysisVersion.id, values, digest: digestOf(values), metrics, provenance, thumbnail };
  }

  /** What provenance names must be there and the user's to see, or lineage would lead nowhere. */
  async #mustBe(user: User, prefix: 'dv' | 'sn', field: string, id: string | null): Promise<void> {
    if (id === null) return;
    if (prefixOf(id) !== prefix) {
      throw new ProblemError(
        'BODY_INVALID',
        `"${id}" is not the id of ${prefix === 'dv' ? 'a dataset version' : 'a snippet'}.`,
        {
          field: `body/provenance/${field}`,
          mend: 'Leave it out where it is not known.'
        }
      );
    }
    await this.access.require(user, 'view', id);
  }

  async #analysisVersion(user: User, id: string): Promise<AnalysisVersion> {
    if (prefixOf(id) !== 'av') throw notFound(id);
    await this.access.require(user, 'use', id);
    const version = await this.analyses.findVersion(id);
    if (version === undefined) throw notFound(id);
    return version;
  }

  async #version(id: string): Promise<ParameterSetVersion & { name: string }> {
    const version = await this.repository.findVersion(id);
    if (version === undefined) throw notFound(id);
    return version;
  }

  async #nameTaken(owner: string, analysisId: string, name: string): Promise<ProblemError> {
    const id = await this.repository.findIdByName(owner, analysisId, name);
    return new ProblemError('NAME_TAKEN', `You already have a set named "${name}" for this analysis.`, {
      field: 'body/name',
      mend: `Choose another name${id === undefined ? '' : `, or save a new version of ${id}`}.`
    });
  }

  #changed(owner: string, id: string): void {
    this.events.publish(owner, { type: 'changed', noun: 'parameter-set', id });
  }
}

function digestOf(values: ParameterValues): string {
  return `sha256:${createHash('sha256').update(canonicalJson(values)).digest('hex')}`;
}

function checkMetrics(metrics: Record<string, number>): void {
  const names = Object.keys(metrics);
  const bad = names.find((name) => unusableNames.has(name) || !/^[^\u0000-\u001f\u007f]{1,128}$/.test(name));
  if (bad === undefined && names.length <= mostMetrics) return;
  throw bad === undefined
    ? new ProblemError('BODY_INVALID', `There are ${names.length} metrics; a set may have ${mostMetrics}.`, {
        field: 'body/metrics',
        mend: 'Keep series in a file of the output, and their summary as a metric.'
      })
    : new ProblemError('BODY_INVALID', `"${bad.slice(0, 60)}" cannot be the name of a metric.`, {
        field: 'body/metrics',
        mend: 'Use 1 to 128 characters without control characters.'
      });
}

/** Newest sets, largest metrics and smallest everything else come first unless the order says otherwise. */
function orderOf(orderBy: string): Order {
  const [by = '', ...rest] = orderBy.split(':');
  const name = by === 'metric' || by === 'parameter' ? rest.shift() : undefined;
  const direction = (rest[0] as 'asc' | 'desc' | undefined) ?? (by === 'created' || by === 'metric' ? 'desc' : 'asc');
  return by === 'created' || by === 'name'
    ? { by, direction }
    : { by: 'field', kind: by as 'metric' | 'parameter', name: name ?? '', direction };
}

function isPlace(parts: unknown[]): parts is [0 | 1 | 2, string | number | null, number] {
  const [part, key, setNumber] = parts;
  return (
    (part === 0 || part === 1 || part === 2) &&
    (key === null || typeof key === 'string' || typeof key === 'number') &&
    Number.isSafeInteger(setNumber)
  );
}
