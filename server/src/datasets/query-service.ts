import type { Operations, Query } from '@labscale/schema';
import type { EventLog } from '../events/event-log.js';
import { decodeCursor, encodeCursor } from '../http/cursor.js';
import type { User } from '../http/identify.js';
import { isUniqueViolation } from '../metadata/database-errors.js';
import { parseFilter } from '../metadata/filter.js';
import { newId } from '../metadata/ids.js';
import { ProblemError, notFound } from '../problem-error.js';
import type { DatasetRepository } from './dataset-repository.js';

export class QueryService {
  constructor(
    private readonly datasets: DatasetRepository,
    private readonly events: EventLog
  ) {}

  async list(
    datasetId: string,
    query: Operations['listQueries']['query']
  ): Promise<Operations['listQueries']['result']> {
    const limit = query.limit ?? 50;
    const order = `queries ${datasetId}`;
    const after = decodeCursor(query.cursor, order, (values): values is [string] => typeof values[0] === 'string');
    const { items, total } = await this.datasets.listQueries(datasetId, after?.[0], limit + 1);
    const page = items.slice(0, limit);
    const last = page.at(-1);
    return {
      items: page,
      nextCursor: items.length > limit && last !== undefined ? encodeCursor(order, last.id) : null,
      total
    };
  }

  /** Saves a filter by name. Raises FILTER_INVALID, NAME_TAKEN. */
  async create(user: User, datasetId: string, { name, filter }: Operations['createQuery']['body']): Promise<Query> {
    parseFilter(filter);
    const query = { id: newId('qu'), datasetId, name, filter, owner: user.name, createdAt: new Date().toISOString() };
    // The index decides, not a look before: two may ask for one name at once.
    await this.datasets.insertQuery(query).catch((error: unknown) => {
      if (!isUniqueViolation(error)) throw error;
      throw new ProblemError('NAME_TAKEN', `This dataset already has a query "${name}".`, {
        field: 'body/name',
        mend: 'Choose another name, or delete that one.'
      });
    });
    this.events.publish(user.name, { type: 'changed', noun: 'query', id: query.id });
    return query;
  }

  async delete(queryId: string): Promise<void> {
    const query = await this.datasets.findQuery(queryId);
    if (query === undefined) throw notFound(queryId);
    await this.datasets.removeQuery(queryId);
    this.events.publish(query.owner, { type: 'changed', noun: 'query', id: queryId });
  }
}
