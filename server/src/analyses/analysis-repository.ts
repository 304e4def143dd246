import type { Adapter, Analysis, AnalysisKind, AnalysisVersion, ContainerImage, Contract } from '@labscale/schema';
import type { Selectable } from 'kysely';
import type { Database, Writing } from '../metadata/database.js';
import { newId } from '../metadata/ids.js';
import { occursIn } from '../metadata/search-words.js';
import type { Tables } from '../metadata/tables.js';
import type { Kernel } from './notebook-content.js';

export type AnalysisRow = Selectable<Tables['analysis']>;

/** What a version has of its own, before it gets a number. */
export interface NewVersion {
  digest: string;
  kind: AnalysisKind;
  path: string | null;
  kernel: Kernel | null;
  command: string[] | null;
  image: ContainerImage | null;
  adapter: Adapter | null;
  files: string[];
  contract: Contract;
}

export class AnalysisRepository {
  constructor(private readonly database: Database) {}

  async find(id: string): Promise<Analysis | undefined> {
    const row = await this.#analyses().where('analysis.id', '=', id).executeTakeFirst();
    return row && toAnalysis(row);
  }

  async findRow(id: string): Promise<AnalysisRow | undefined> {
    return this.database.selectFrom('analysis').selectAll().where('id', '=', id).executeTakeFirst();
  }

  async findByPlace(owner: string, kind: AnalysisKind, place: string): Promise<Analysis | undefined> {
    const row = await this.#analyses()
      .where('analysis.owner', '=', owner)
      .where('analysis.kind', '=', kind)
      .where('analysis.place', '=', place)
      .executeTakeFirst();
    return row && toAnalysis(row);
  }

  async findVersion(id: string): Promise<AnalysisVersion | undefined> {
    const row = await this.database.selectFrom('analysisVersion').selectAll().where('id', '=', id).executeTakeFirst();
    return row && toVersion(row);
  }

  /** Newest first; `before` is the id of the last one of the page before. */
  async list(
    owner: string,
    { words, path, before, limit }: { words: readonly string[]; path?: string; before?: string; limit: number }
  ): Promise<{ items: Analysis[]; total: number }> {
    let matching = this.#analyses().where('analysis.owner', '=', owner);
    if (path !== undefined)
      matching = matching.where('analysis.kind', '=', 'notebook').where('analysis.place', '=', path);
    for (const word of words) {
      matching = matching.where(occursIn(['analysis.name', 'analysis.description'], word));
    }
    const { total } = await matching
      .clearSelect()
      .select((select) => select.fn.countAll<number>().as('total'))
      .executeTakeFirstOrThrow();
    const page = before === undefined ? matching : matching.where('analysis.id', '<', before);
    const rows = await page.orderBy('analysis.id', 'desc').limit(limit).execute();
    return { items: rows.map(toAnalysis), total: Number(total) };
  }

  async listVersions(
    analysisId: string,
    { before, limit }: { before?: number; limit: number }
  ): Promise<{ items: AnalysisVersion[]; total: number }> {
    const all = this.database.selectFrom('analysisVersion').where('analysisId', '=', analysisId);
    const { total } = await all.select((select) => select.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
    const page = before === undefined ? all : all.where('number', '<', before);
    const rows = await page.selectAll().orderBy('number', 'desc').limit(limit).execute();
    return { items: rows.map(toVersion), total: Number(total) };
  }

  /** Inserts an analysis with its first version; false where one of that place is there already. */
  async insert(
    owner: string,
    analysis: { name: string; place: string; description: string },
    version: NewVersion
  ): Promise<boolean> {
    const [id, versionId, now] = [newId('an'), newId('av'), new Date().toISOString()];
    return this.database.transaction().execute(async (writing) => {
      const { numInsertedOrUpdatedRows } = await writing
        .insertInto('analysis')
        .values({
          id,
          owner,
          kind: version.kind,
          ...analysis,
          latestVersionId: versionId,
          createdAt: now,
          updatedAt: now
        })
        .onConflict((conflict) => conflict.columns(['owner', 'kind', 'place']).doNothing())
        .executeTakeFirst();
      if (numInsertedOrUpdatedRows === 0n) return false;
      await this.#insertVersion(writing, { id: versionId, owner, analysisId: id, number: 1, createdAt: now }, version);
      return true;
    });
  }

  /** Inserts a version after the one that it was made from; undefined where another has come between. */
  async insertVersion(
    owner: string,
    after: AnalysisVersion,
    version: NewVersion
  ): Promise<AnalysisVersion | undefined> {
    const [id, now] = [newId('av'), new Date().toISOString()];
    return this.database.transaction().execute(async (writing) => {
      const { numUpdatedRows } = await writing
        .updateTable('analysis')
        .set({ latestVersionId: id, updatedAt: now })
        .where('id', '=', after.analysisId)
        .where('latestVersionId', '=', after.id)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return undefined;
      const place = { id, owner, analysisId: after.analysisId, number: after.number + 1, createdAt: now };
      await this.#insertVersion(writing, place, version);
      return { ...place, ...version };
    });
  }

  /** False where the name of a command or container, which is its place too, is another one's already. */
  async update(row: AnalysisRow, change: { name?: string; description?: string }): Promise<boolean> {
    const place = row.kind === 'notebook' ? undefined : change.name;
    const { numUpdatedRows } = await this.database
      .updateTable('analysis')
      .set({ ...change, ...(place === undefined ? {} : { place }), updatedAt: new Date().toISOString() })
      .where('id', '=', row.id)
      .$if(place !== undefined, (query) =>
        query.where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('analysis as other')
                .select('other.id')
                .where('other.owner', '=', row.owner)
                .where('other.kind', '=', row.kind)
                .where('other.place', '=', place!)
                .where('other.id', '!=', row.id)
            )
          )
        )
      )
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  async #insertVersion(
    writing: Writing,
    place: { id: string; owner: string; analysisId: string; number: number; createdAt: string },
    { kernel, command, image, files, contract, ...version }: NewVersion
  ): Promise<void> {
    await writing
      .insertInto('analysisVersion')
      .values({
        ...place,
        ...version,
        kernelJson: kernel && JSON.stringify(kernel),
        commandJson: command && JSON.stringify(command),
        imageJson: image && JSON.stringify(image),
        filesJson: JSON.stringify(files),
        contractJson: JSON.stringify(contract)
      })
      .execute();
  }

  #analyses() {
    return this.database
      .selectFrom('analysis')
      .innerJoin('analysisVersion as version', 'version.id', 'analysis.latestVersionId')
      .selectAll('version')
      .select([
        'analysis.id as listedId',
        'analysis.name',
        'analysis.owner as listedOwner',
        'analysis.description',
        'analysis.createdAt as firstCreatedAt',
        'analysis.updatedAt'
      ]);
  }
}

type VersionRow = Selectable<Tables['analysisVersion']>;

function toVersion(row: VersionRow): AnalysisVersion {
  const { id, analysisId, number, digest, kind, path, owner, createdAt } = row;
  return {
    id,
    analysisId,
    number: Number(number),
    digest,
    kind,
    path,
    kernel: row.kernelJson === null ? null : (JSON.parse(row.kernelJson) as Kernel),
    command: row.commandJson === null ? null : (JSON.parse(row.commandJson) as string[]),
    image: row.imageJson === null ? null : (JSON.parse(row.imageJson) as ContainerImage),
    adapter: row.adapter,
    files: JSON.parse(row.filesJson) as string[],
    contract: JSON.parse(row.contractJson) as Contract,
    owner,
    createdAt
  };
}

function toAnalysis(
  row: VersionRow & {
    listedId: string;
    name: string;
    listedOwner: string;
    description: string;
    firstCreatedAt: string;
    updatedAt: string;
  }
): Analysis {
  return {
    id: row.listedId,
    name: row.name,
    owner: row.listedOwner,
    kind: row.kind,
    description: row.description,
    latestVersion: toVersion(row),
    versionCount: Number(row.number),
    createdAt: row.firstCreatedAt,
    updatedAt: row.updatedAt
  };
}
