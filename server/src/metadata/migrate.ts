import type { Kysely } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import * as initial from './migrations/0001-initial.js';
import * as containers from './migrations/0002-containers.js';
import type { Tables } from './tables.js';

/** Forward only, in the order of their names; a released migration is never edited. */
export const migrations: Record<string, Migration> = { '0001-initial': initial, '0002-containers': containers };

export class DatabaseTooNew extends Error {
  constructor(names: readonly string[]) {
    super(
      `The database was made by a newer version of labscale (it has ${names.join(', ')}). Install that version or newer; nothing was changed.`
    );
    this.name = 'DatabaseTooNew';
  }
}

/** Raises DatabaseTooNew where a migration that a database has is none of ours. */
export function refuseNewer(applied: readonly string[]): void {
  const unknown = applied.filter((name) => !Object.hasOwn(migrations, name));
  if (unknown.length > 0) throw new DatabaseTooNew(unknown);
}

export async function migrate(database: Kysely<Tables>): Promise<void> {
  const { error } = await new Migrator({
    db: database,
    provider: { getMigrations: async () => migrations }
  }).migrateToLatest();
  if (error !== undefined) throw error;
}
