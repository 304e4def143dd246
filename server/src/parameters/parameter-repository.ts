import type { ParameterSet, ParameterSetVersion, ParameterValues, Provenance } from '@labscale/schema';
import type { Selectable } from 'kysely';
import type { Database, Writing } from '../metadata/database.js';
import { newId } from '../metadata/ids.js';
import type { Tables } from '../metadata/tables.js';
import { nextNumber, ParameterFieldRepository } from './parameter-field-repository.js';
import { toSet, toVersion } from './parameter-noun.js';

export type ParameterSetRow = Selectable<Tables['parameterSet']>;

/** What a version has of its own, before it gets a number. */
export interface NewSetVersion {
  analysisVersionId: string;
  values: ParameterValues;
  digest: string;
  metrics: Record<string, number>;
  provenance: Provenance;
  thumbnail: { digest: string; mediaType: string } | null;
}

export interface NewSet {
  analysisId: string;
  name: string;
  note: string;
  tags: string[];
  parentVersionId: string | null;
  changedFromParent: string[];
}

export type Deletion = { done: true; datasetIds: string[] } | { done: false; because: 'run' | 'fork' };

/** Above this, a page of sets is cut short: a set may hold megabytes of values. */
const largestPageBytes = 8_388_608;
const hydratedAtOnce = 20;

export class ParameterRepository {
  readonly #fields: ParameterFieldRepository;

  constructor(private readonly database: Database) {
    this.#fields = new ParameterFieldRepository(database);
  }

  async find(id: string): Promise<ParameterSet | undefined> {
    const row = await this.database.selectFrom('parameterSet').select('number').where('id', '=', id).executeTakeFirst();
    return row && this.#findByNumber(row.number);
  }

  async #findByNumber(number: number): Promise<ParameterSet | undefined> {
    return (await this.findByNumbers([number])).sets[0];
  }

  /**
   * Sets in the order of their numbers, without those that are gone. `taken` is how many of the numbers were looked at:
   * fewer than all where the sets are very large.
   */
  async findByNumbers(numbers: readonly number[]): Promise<{ sets: ParameterSet[]; taken: number }> {
    const sets: ParameterSet[] = [];
    let [taken, bytes] = [0, 0];
    while (taken < numbers.length && bytes <= largestPageBytes) {
      const wanted = numbers.slice(taken, taken + hydratedAtOnce);
      const rows = await this.#sets().where('set.number', 'in', wanted).execute();
      const ids = rows.map((row) => row.setId);
      const [runs, defaults] = ids.length === 0 ? [[], []] : [await this.#runCounts(ids), await this.#defaults(ids)];
      const byNumber = new Map(rows.map((row) => [Number(row.setNumber), row]));
      for (const number of wanted) {
        if (bytes > largestPageBytes) break;
        taken += 1;
        const row = byNumber.get(number);
        if (row === undefined) continue;
        bytes += row.valuesJson.length;
        const runCount = Number(runs.find((run) => run.parameterSetId === row.setId)?.count ?? 0);
        const own = defaults.filter((each) => each.parameterSetId === row.setId).map((each) => each.datasetId);
        sets.push(toSet(row, runCount, own));
      }
    }
    return { sets, taken };
  }

  async findRow(id: string): Promise<ParameterSetRow | undefined> {
    return this.database.selectFrom('parameterSet').selectAll().where('id', '=', id).executeTakeFirst();
  }

  async findIdByName(owner: string, analysisId: string, name: string): Promise<string | undefined> {
    const row = await this.database
      .selectFrom('parameterSet')
      .select('id')
      .where('owner', '=', owner)
      .where('analysisId', '=', analysisId)
      .where('name', '=', name)
      .executeTakeFirst();
    return row?.id;
  }

  async findVersion(id: string): Promise<(ParameterSetVersion & { name: string }) | undefined> {
    const row = await this.database
      .selectFrom('parameterSetVersion as version')
      .innerJoin('parameterSet as set', 'set.id', 'version.parameterSetId')
      .selectAll('version')
      .select('set.name')
      .where('version.id', '=', id)
      .executeTakeFirst();
    return row && { ...toVersion(row), name: row.name };
  }

  async findThumbnail(versionId: string): Promise<{ digest: string; mediaType: string } | undefined> {
    const row = await this.database
      .selectFrom('parameterSetVersion')
      .select(['thumbnailDigest', 'thumbnailMediaType'])
      .where('id', '=', versionId)
      .executeTakeFirst();
    if (row?.thumbnailDigest == null || row.thumbnailMediaType === null) return undefined;
    return { digest: row.thumbnailDigest, mediaType: row.thumbnailMediaType };
  }

  async listVersions(
    parameterSetId: string,
    { before, limit }: { before?: number; limit: number }
  ): Promise<{ items: ParameterSetVersion[]; total: number }> {
    const all = this.database.selectFrom('parameterSetVersion').where('parameterSetId', '=', parameterSetId);
    const { total } = await all.select((select) => select.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
    const page = before === undefined ? all : all.where('number', '<', before);
    const rows = await page.selectAll().orderBy('number', 'desc').limit(limit).execute();
    return { items: rows.map(toVersion), total: Number(total) };
  }

  /** Inserts a set with its first version, all in one commit; undefined where the owner has one of that name. */
  async insert(owner: string, set: NewSet, version: NewSetVersion): Promise<ParameterSet | undefined> {
    const [id, versionId, now] = [newId('ps'), newId('pv'), new Date().toISOString()];
    const number = await this.database.transaction().execute(async (writing) => {
      const number = await nextNumber(writing, 'parameterSet');
      const { tags, changedFromParent, ...rest } = set;
      const { numInsertedOrUpdatedRows } = await writing
        .insertInto('parameterSet')
        .values({
          ...rest,
          id,
          number,
          owner,
          tagsJson: JSON.stringify(tags),
          searchText: searchTextOf(set.name, set.note, tags),
          changedFromParentJson: JSON.stringify(changedFromParent),
          latestVersionId: versionId,
          createdAt: now,
          updatedAt: now
        })
        .onConflict((conflict) => conflict.columns(['owner', 'analysisId', 'name']).doNothing())
        .executeTakeFirst();
      if (numInsertedOrUpdatedRows === 0n) return undefined;
      await this.#insertVersion(
        writing,
        { id: versionId, owner, parameterSetId: id, number: 1, createdAt: now },
        version
      );
      await this.#fields.write(writing, { owner, analysisId: set.analysisId, number }, version);
      return number;
    });
    return number === undefined ? undefined : this.#findByNumber(number);
  }

  /**
   * Inserts the next version. `changedFrom` gives the names that differ, from the values of the version before or, of a
   * fork, of its parent.
   */
  async insertVersion(
    owner: string,
    set: ParameterSetRow,
    version: NewSetVersion,
    changedFrom: (values: ParameterValues) => string[]
  ): Promise<void> {
    const [id, now] = [newId('pv'), new Date().toISOString()];
    await this.database.transaction().execute(async (writing) => {
      const rows = await writing
        .selectFrom('parameterSetVersion as version')
        .innerJoin('parameterSet as set', (join) => join.on('set.id', '=', set.id))
        .select(['version.id', 'version.number', 'version.valuesJson'])
        .where(({ eb, or, ref }) =>
          or([eb('version.id', '=', ref('set.latestVersionId')), eb('version.id', '=', set.parentVersionId ?? '')])
        )
        .execute();
      const latest = rows.find((row) => row.id !== set.parentVersionId);
      if (latest === undefined) throw new Error(`${set.id} has no latest version`);
      const compared = rows.find((row) => row.id === set.parentVersionId) ?? latest;
      const place = { id, owner, parameterSetId: set.id, number: Number(latest.number) + 1, createdAt: now };
      await this.#insertVersion(writing, place, version);
      await writing
        .updateTable('parameterSet')
        .set({
          latestVersionId: id,
          changedFromParentJson: JSON.stringify(changedFrom(JSON.parse(compared.valuesJson) as ParameterValues)),
          updatedAt: now
        })
        .where('id', '=', set.id)
        .execute();
      await this.#fields.remove(writing, set);
      await this.#fields.write(writing, set, version);
    });
  }

  /** False where the owner has another one of that name. */
  async update(id: string, change: { name?: string; note?: string; tags?: string[] }): Promise<boolean> {
    return this.database.transaction().execute(async (writing) => {
      const row = await writing.selectFrom('parameterSet').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
      const { name = row.name, note = row.note, tags = JSON.parse(row.tagsJson) as string[] } = change;
      const other = await writing
        .selectFrom('parameterSet')
        .select('id')
        .where('owner', '=', row.owner)
        .where('analysisId', '=', row.analysisId)
        .where('name', '=', name)
        .where('id', '!=', id)
        .executeTakeFirst();
      if (other !== undefined) return false;
      await writing
        .updateTable('parameterSet')
        .set({
          name,
          note,
          tagsJson: JSON.stringify(tags),
          searchText: searchTextOf(name, note, tags),
          updatedAt: new Date().toISOString()
        })
        .where('id', '=', id)
        .execute();
      return true;
    });
  }

  /** Deletes a set that neither a run nor a fork goes back to; datasets whose default it was have none then. */
  async delete(set: ParameterSetRow): Promise<Deletion> {
    return this.database.transaction().execute(async (writing): Promise<Deletion> => {
      const versions = writing.selectFrom('parameterSetVersion').select('id').where('parameterSetId', '=', set.id);
      const run = writing.selectFrom('runParameterSet').select('runId').where('parameterSetId', '=', set.id);
      if ((await run.limit(1).executeTakeFirst()) !== undefined) return { done: false, because: 'run' };
      const fork = writing.selectFrom('parameterSet').select('id').where('parentVersionId', 'in', versions);
      if ((await fork.limit(1).executeTakeFirst()) !== undefined) return { done: false, because: 'fork' };
      const datasets = await writing
        .selectFrom('dataset')
        .select('id')
        .where('defaultParameterSetVersionId', 'in', versions)
        .execute();
      await writing
        .updateTable('dataset')
        .set({ defaultParameterSetVersionId: null })
        .where('defaultParameterSetVersionId', 'in', versions)
        .execute();
      await this.#fields.remove(writing, set);
      await writing.deleteFrom('parameterSetVersion').where('parameterSetId', '=', set.id).execute();
      await writing.deleteFrom('parameterSet').where('id', '=', set.id).execute();
      return { done: true, datasetIds: datasets.map(({ id }) => id) };
    });
  }

  async #insertVersion(
    writing: Writing,
    place: { id: string; owner: string; parameterSetId: string; number: number; createdAt: string },
    version: NewSetVersion
  ): Promise<void> {
    await writing
      .insertInto('parameterSetVersion')
      .values({
        ...place,
        analysisVersionId: version.analysisVersionId,
        valuesJson: JSON.stringify(version.values),
        digest: version.digest,
        metricsJson: JSON.stringify(version.metrics),
        provenanceJson: JSON.stringify(version.provenance),
        snippetId: version.provenance.snippetId,
        thumbnailDigest: version.thumbnail?.digest ?? null,
        thumbnailMediaType: version.thumbnail?.mediaType ?? null
      })
      .execute();
  }

  #sets() {
    return this.database
      .selectFrom('parameterSet as set')
      .innerJoin('parameterSetVersion as version', 'version.id', 'set.latestVersionId')
      .innerJoin('analysis', 'analysis.id', 'set.analysisId')
      .leftJoin('parameterSetVersion as parentVersion', 'parentVersion.id', 'set.parentVersionId')
      .leftJoin('parameterSet as parent', 'parent.id', 'parentVersion.parameterSetId')
      .selectAll('version')
      .select([
        'set.id as setId',
        'set.number as setNumber',
        'set.name',
        'set.owner as setOwner',
        'set.analysisId',
        'set.note',
        'set.tagsJson',
        'set.changedFromParentJson',
        'set.createdAt as firstCreatedAt',
        'set.updatedAt',
        'analysis.name as analysisName',
        'parentVersion.id as parentVersionId',
        'parentVersion.number as parentNumber',
        'parent.id as parentId',
        'parent.name as parentName'
      ]);
  }

  #runCounts(ids: readonly string[]) {
    return this.database
      .selectFrom('runParameterSet')
      .select(({ fn }) => ['parameterSetId', fn.count<number>('runId').distinct().as('count')])
      .where('parameterSetId', 'in', ids)
      .groupBy('parameterSetId')
      .execute();
  }

  #defaults(ids: readonly string[]) {
    return this.database
      .selectFrom('parameterSetVersion as version')
      .innerJoin('dataset', 'dataset.defaultParameterSetVersionId', 'version.id')
      .select(['version.parameterSetId', 'dataset.id as datasetId'])
      .where('version.parameterSetId', 'in', ids)
      .whereRef('dataset.owner', '=', 'version.owner')
      .orderBy('dataset.id')
      .execute();
  }
}

function searchTextOf(name: string, note: string, tags: readonly string[]): string {
  return [name, note, ...tags].join('\n').toLowerCase();
}
