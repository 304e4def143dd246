import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { SqliteDialect, type Dialect } from 'kysely';

/** The one file that speaks SQLite: the connection, its pragmas, and node:sqlite in the shape that Kysely asks for. */
export function sqliteDialect(file: string): { dialect: Dialect; raw: DatabaseSync } {
  const raw = new DatabaseSync(file, { timeout: 5_000 });
  // FULL and not NORMAL: in WAL mode only FULL keeps an acknowledged commit through a loss of power.
  raw.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -8000; PRAGMA temp_store = MEMORY;'
  );
  // 16 MiB and not 4: a run of 1,000 tasks would copy the log into the file, and wait for the disk, at each of its commits.
  raw.exec('PRAGMA wal_autocheckpoint = 4000');
  // SQLite's own knows the 26 letters of English only: a search for `Ärzte` would not find it.
  raw.function('lower', { deterministic: true }, (text) => (typeof text === 'string' ? text.toLowerCase() : text));
  type Statement = ReturnType<DatabaseSync['prepare']>;
  // Statements are kept: preparing costs more than running for the small writes of a run.
  const kept = new Map<string, Statement>();
  const prepare = (sql: string): Statement => {
    let statement = kept.get(sql);
    if (statement === undefined) {
      statement = raw.prepare(sql);
      if (kept.size >= 300) kept.delete(kept.keys().next().value!);
      kept.set(sql, statement);
    }
    return statement;
  };
  type Values = Parameters<Statement['all']>;
  const dialect = new SqliteDialect({
    database: {
      close: () => {
        kept.clear();
        raw.exec('PRAGMA optimize');
        raw.close();
      },
      prepare: (sql: string) => {
        const statement = prepare(sql);
        const reader = statement.columns().length > 0;
        return {
          reader,
          all: (parameters: readonly unknown[]) => statement.all(...(parameters as Values)),
          run: (parameters: readonly unknown[]) => {
            try {
              const { changes, lastInsertRowid } = statement.run(...(parameters as Values));
              return { changes, lastInsertRowid };
            } catch (error) {
              // Where the disk is full SQLite rolls back by itself; Kysely would then tell of this and not of the disk.
              if (sql === 'rollback' && !raw.isTransaction) return { changes: 0, lastInsertRowid: 0 };
              throw error;
            }
          },
          // A statement of its own: an open iterator and a second use of one statement would disturb each other.
          iterate: (parameters: readonly unknown[]) =>
            raw.prepare(sql).iterate(...(parameters as Values)) as IterableIterator<unknown>
        };
      }
    }
  });
  return { dialect, raw };
}

/** The migrations that a file has had, read without opening it for writing: its journal mode alone would change it. */
export function migrationsIn(file: string): string[] {
  if (!existsSync(file)) return [];
  const url = pathToFileURL(file);
  // Even a reader leaves a log and its index beside a WAL database, unless it knows that nobody writes; who holds the
  // folder knows that. A log that is there must be read.
  if (!existsSync(`${file}-wal`)) url.searchParams.set('immutable', '1');
  const raw = new DatabaseSync(url, { readOnly: true, timeout: 5_000 });
  try {
    const table = raw.prepare("SELECT 1 FROM sqlite_master WHERE name = 'kysely_migration'").get();
    if (table === undefined) return [];
    return raw
      .prepare('SELECT name FROM kysely_migration')
      .all()
      .map(({ name }) => String(name));
  } finally {
    raw.close();
  }
}

/** Statistics for the query planner; without them a search over 100,000 sets reads the wrong index. */
export function refreshStatistics(raw: DatabaseSync): void {
  raw.exec('PRAGMA analysis_limit = 1000; ANALYZE');
}
