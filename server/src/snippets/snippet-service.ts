import { createHash, randomInt } from 'node:crypto';
import type { Operations, Snippet } from '@labscale/schema';
import type { EventLog } from '../events/event-log.js';
import type { User } from '../http/identify.js';
import type { Access } from '../metadata/access.js';
import { canonicalJson } from '../metadata/canonical-json.js';
import { newId } from '../metadata/ids.js';
import { ProblemError, notFound } from '../problem-error.js';
import { cutSnippet } from './snippet-cut.js';
import { notebookOnSnippet, snippetNotebook } from './snippet-notebook.js';
import type { ShardSource, SnippetRepository, StoredSnippet } from './snippet-repository.js';

/** The notebook of the latest version of an analysis, without outputs. Raises NOT_FOUND. */
export type AnalysisNotebook = (user: User, analysisId: string) => Promise<Operations['getSnippetNotebook']['result']>;

const usualCount = 4;

export class SnippetService {
  constructor(
    private readonly repository: SnippetRepository,
    private readonly shards: ShardSource,
    private readonly analysisNotebook: AnalysisNotebook,
    private readonly access: Access,
    private readonly events: EventLog
  ) {}

  async create(user: User, body: Operations['createSnippet']['body']): Promise<Snippet> {
    const version = await this.shards.readyVersion(user, body.datasetVersionId);
    const filter = body.filter ?? '';
    const indexes = await this.shards.matchingIndexes(version.id, filter);
    if (indexes.length === 0) {
      throw new ProblemError('PLAN_EMPTY', 'No shard fits the filter, so there is nothing to cut.', {
        field: 'body/filter',
        mend: 'Loosen the filter.'
      });
    }
    // The seed is chosen here where nobody chose it, and recorded: every cut can be made again.
    const selection = { count: body.count ?? usualCount, filter, seed: body.seed ?? randomInt(4_294_967_296) };
    const shardIndexes = cutSnippet(indexes, selection.count, selection.seed);
    const shards = await this.shards.shardsAt(version.id, shardIndexes);
    const content = canonicalJson(shards.map((shard) => [shard.key, shard.digest]));
    const stored: StoredSnippet = {
      id: newId('sn'),
      name: body.name ?? `${shards.length} of ${version.datasetName}`.slice(0, 200),
      owner: user.name,
      datasetId: version.datasetId,
      datasetVersionId: version.id,
      selection,
      shardIndexes,
      digest: `sha256:${createHash('sha256').update(content).digest('hex')}`,
      createdAt: new Date().toISOString()
    };
    await this.repository.insert(stored);
    this.events.publish(user.name, { type: 'changed', noun: 'snippet', id: stored.id });
    return this.withShards(stored);
  }

  async get(id: string): Promise<Snippet> {
    return this.withShards(await this.stored(id));
  }

  async list(user: User, query: Operations['listSnippets']['query']): Promise<Operations['listSnippets']['result']> {
    const limit = query.limit ?? 50;
    if (query.cursor !== undefined && !/^sn-[0-9a-z]{20}$/.test(query.cursor)) {
      throw new ProblemError('CURSOR_INVALID', 'This list did not hand out that cursor.', { field: 'query/cursor' });
    }
    const { items, total } = await this.repository.list(user.name, query.datasetId, query.cursor, limit);
    const page = items.slice(0, limit);
    return {
      items: await Promise.all(page.map((stored) => this.withShards(stored))),
      nextCursor: items.length > limit ? (page.at(-1)?.id ?? null) : null,
      total
    };
  }

  async files(id: string): Promise<Operations['getSnippetFiles']['result']> {
    const snippet = await this.get(id);
    const shards = [];
    for (const shard of snippet.shards) {
      shards.push({ key: shard.key, objects: await this.shards.filesOf(snippet.datasetVersionId, shard) });
    }
    return { shards };
  }

  async notebook(
    user: User,
    id: string,
    analysisId: string | undefined
  ): Promise<Operations['getSnippetNotebook']['result']> {
    const snippet = await this.get(id);
    if (analysisId !== undefined) {
      await this.access.require(user, 'view', analysisId);
      return notebookOnSnippet(await this.analysisNotebook(user, analysisId), snippet);
    }
    const { datasetName } = await this.shards.readyVersion(user, snippet.datasetVersionId);
    return snippetNotebook(snippet, datasetName);
  }

  private async stored(id: string): Promise<StoredSnippet> {
    const stored = await this.repository.find(id);
    if (stored === undefined) throw notFound(id);
    return stored;
  }

  private async withShards({ shardIndexes, ...snippet }: StoredSnippet): Promise<Snippet> {
    return { ...snippet, shards: await this.shards.shardsAt(snippet.datasetVersionId, shardIndexes) };
  }
}
