import { createHash } from 'node:crypto';
import type { User } from '../http/identify.js';
import { ProblemError } from '../problem-error.js';
import { canonicalJson } from './canonical-json.js';
import type { Database, Writing } from './database.js';

/** Writes the answer in a transaction of the one who answers; at most once. */
export type Remember = (writing: Writing, answer: unknown) => Promise<void>;

/**
 * Gives the first answer again to a request that comes twice with one key. Two at once in this process share one execution;
 * the row is written on success only, so a failed request may be tried again with its key.
 */
export class Idempotency {
  readonly #underway = new Map<string, { bodyDigest: string; answer: Promise<unknown> }>();

  constructor(private readonly database: Database) {}

  async once<T>(
    user: User,
    operation: string,
    key: string,
    request: unknown,
    execute: (remember: Remember) => Promise<T>
  ): Promise<T> {
    if (key.length < 1 || key.length > 200) {
      throw new ProblemError('REQUEST_INVALID', 'An idempotency key has 1 to 200 characters.', {
        field: 'Idempotency-Key'
      });
    }
    const bodyDigest = createHash('sha256').update(canonicalJson(request)).digest('hex');
    const place = JSON.stringify([user.name, operation, key]);
    const conflict = () =>
      new ProblemError('IDEMPOTENCY_CONFLICT', 'This idempotency key was used before with another request.', {
        field: 'Idempotency-Key',
        mend: 'Use a new key for a new request.'
      });
    const same = this.#underway.get(place);
    if (same !== undefined) {
      if (same.bodyDigest !== bodyDigest) throw conflict();
      return (await same.answer) as T;
    }
    const answer = (async () => {
      const row = await this.database
        .selectFrom('idempotency')
        .select(['bodyDigest', 'answer'])
        .where('owner', '=', user.name)
        .where('operation', '=', operation)
        .where('key', '=', key)
        .executeTakeFirst();
      if (row !== undefined) {
        if (row.bodyDigest !== bodyDigest) throw conflict();
        return JSON.parse(row.answer) as T;
      }
      let remembered = false;
      const remember: Remember = async (writing, given) => {
        remembered = true;
        await writing
          .insertInto('idempotency')
          .values({
            owner: user.name,
            operation,
            key,
            bodyDigest,
            answer: JSON.stringify(given),
            createdAt: new Date().toISOString()
          })
          .execute();
      };
      const result = await execute(remember);
      if (!remembered) await remember(this.database, result);
      return result;
    })();
    this.#underway.set(place, { bodyDigest, answer });
    try {
      return await answer;
    } finally {
      this.#underway.delete(place);
    }
  }
}
