import type { Shard } from '@labscale/schema';
import { newId } from '../metadata/ids.js';
import { OneAtATime } from '../one-at-a-time.js';
import type { DatasetRepository } from './dataset-repository.js';
import type { Indexer } from './indexer.js';
import type { ShardRepository } from './shard-repository.js';
import { shardDigest, type StoredObject, type StoredShard } from './stored-shard.js';

/** A derivative as a run publishes it: a shard whose objects lie in the store. */
export interface DerivativeShard {
  key: string;
  entities: Shard['entities'];
  metadata: Shard['metadata'];
  objects: { path: string; sizeBytes: number; digest: string; mediaType: string; key: string }[];
  origin: NonNullable<Shard['origin']>;
}

/** The run whose derivatives are published. */
export interface DerivingRun {
  runId: string;
  owner: string;
  /** The dataset and the analysis whose derivatives these are; each publish of a run over them adds a version. */
  datasetId: string;
  analysisId: string;
  /** Name of the dataset where it is made; a number is added where it is taken. */
  name: string;
}

/** Makes what runs published versions of datasets. */
export class DerivativeVersions {
  /** Two runs over one dataset would both make the next version. */
  readonly #underway = new OneAtATime();

  constructor(
    private readonly datasets: DatasetRepository,
    private readonly shards: ShardRepository,
    private readonly indexer: Indexer
  ) {}

  /**
   * Makes the derivatives of a run a dataset version, of the dataset that earlier runs of that analysis over that dataset
   * made; returns its id. Called again for a run it gives the version that it made.
   */
  async create(run: DerivingRun, shards: AsyncIterable<DerivativeShard>): Promise<string> {
    return this.#underway.run(`${run.datasetId} ${run.analysisId}`, async () => {
      const made = await this.datasets.findVersionMadeBy(run.runId);
      if (made !== undefined) {
        if (made.indexing.state !== 'ready') await this.indexer.complete(made);
        return made.id;
      }
      const existing = await this.datasets.findDerivatives(run.owner, run.datasetId, run.analysisId);
      const [datasetId, versionId] = [existing?.id ?? newId('ds'), newId('dv')];
      const at = new Date().toISOString();
      const name = await this.#freeName(run.owner, run.name);
      const names = { entities: new Set<string>(), metadata: new Set<string>() };
      let [count, sizeBytes] = [0, 0];
      const stored = (async function* (): AsyncGenerator<StoredShard> {
        for await (const { objects, ...shard } of shards) {
          for (const name of Object.keys(shard.entities)) names.entities.add(name);
          for (const name of Object.keys(shard.metadata)) names.metadata.add(name);
          const size = objects.reduce((sum, object) => sum + object.sizeBytes, 0);
          const placed = objects.map(({ key, ...object }): StoredObject => ({ ...object, at: key }));
          sizeBytes += size;
          yield {
            index: count++,
            ...shard,
            objects: placed,
            sizeBytes: size,
            digest: shardDigest({ ...shard, objects: placed })
          };
        }
      })();
      await this.shards.insert(versionId, run.owner, stored, async (transaction) => {
        if (existing === undefined) {
          await this.datasets.insert(transaction, {
            id: datasetId,
            owner: run.owner,
            name,
            description: '',
            metadataJson: '{}',
            sourceJson: JSON.stringify({ kind: 'derivatives', runId: run.runId }),
            derivedFromDatasetId: run.datasetId,
            derivedByAnalysisId: run.analysisId,
            defaultParameterSetVersionId: null,
            latestVersionId: versionId,
            createdAt: at,
            updatedAt: at
          });
        } else {
          await this.datasets.update(transaction, datasetId, { latestVersionId: versionId });
        }
        await this.datasets.insertVersion(transaction, {
          id: versionId,
          owner: run.owner,
          datasetId,
          number: (existing?.latestVersion.number ?? 0) + 1,
          digest: null,
          indexingState: 'digesting',
          indexingDone: count,
          indexingDetail: null,
          shardCount: count,
          sizeBytes,
          entityNamesJson: JSON.stringify([...names.entities]),
          metadataNamesJson: JSON.stringify([...names.metadata]),
          changesJson: null,
          previousVersionId: existing?.latestVersion.id ?? null,
          rootJson: JSON.stringify({ kind: 'store' }),
          madeByRunId: run.runId,
          createdAt: at
        });
      });
      const version = await this.datasets.getVersion(versionId);
      if (version === undefined) throw new Error(`there is no dataset version ${versionId}`);
      await this.indexer.complete(version);
      return versionId;
    });
  }

  async #freeName(owner: string, wanted: string): Promise<string> {
    for (let number = 1; ; number++) {
      const name = number === 1 ? wanted.slice(0, 200) : `${wanted.slice(0, 190)} (${number})`;
      if (!(await this.datasets.isNameTaken(owner, name))) return name;
    }
  }
}
