import { CamelCasePlugin, Kysely, type Transaction } from 'kysely';
import { migrate, refuseNewer } from './migrate.js';
import { migrationsIn, refreshStatistics, sqliteDialect } from './sqlite.js';
import type { Tables } from './tables.js';

export type Database = Kysely<Tables>;
export type Writing = Transaction<Tables> | Database;

export interface Metadata {
  database: Database;
  refreshStatistics: () => void;
  close: () => Promise<void>;
}

/** Opens the metadata of this server and brings it to the present state. Raises DatabaseTooNew where it comes from a newer version. */
export async function openMetadata(file: string): Promise<Metadata> {
  refuseNewer(migrationsIn(file));
  const { dialect, raw } = sqliteDialect(file);
  const database = new Kysely<Tables>({ dialect, plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })] });
  try {
    await migrate(database);
  } catch (error) {
    await database.destroy();
    throw error;
  }
  return { database, refreshStatistics: () => refreshStatistics(raw), close: () => database.destroy() };
}
