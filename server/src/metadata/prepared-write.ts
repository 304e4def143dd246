import { CompiledQuery, type Compilable } from 'kysely';
import type { Database, Writing } from './database.js';
import type { Tables } from './tables.js';

class Placeholder {
  constructor(readonly name: string) {}
}

/** Stands for a value that is given when the statement runs. */
export type ValueOf<P> = <K extends keyof P & string>(name: K) => P[K];

/** A write that is built and compiled once and run many times: building one costs Kysely more than SQLite takes to run it. */
export class PreparedWrite<P extends object> {
  readonly #sql: string;
  readonly #values: readonly unknown[];

  constructor(build: (value: ValueOf<P>) => Compilable) {
    const compiled = build((name) => new Placeholder(name) as never).compile();
    this.#sql = compiled.sql;
    this.#values = compiled.parameters;
  }

  /** Number of rows changed. */
  async run(writing: Writing, values: P): Promise<number> {
    const parameters = this.#values.map((value) =>
      value instanceof Placeholder ? (values as Record<string, unknown>)[value.name] : value
    );
    const { numAffectedRows } = await writing.executeQuery(CompiledQuery.raw(this.#sql, parameters));
    return Number(numAffectedRows ?? 0n);
  }
}

const rowsAtOnce = [200, 20, 1];

/** Inserts many rows of one table, all with the columns of the first, in few statements that are compiled once. */
export class RowInsert<T extends keyof Tables & string> {
  readonly #sql = new Map<string, string>();

  constructor(
    private readonly database: Database,
    private readonly table: T
  ) {}

  async run(writing: Writing, rows: readonly Tables[T][]): Promise<void> {
    if (rows[0] === undefined) return;
    const columns = Object.keys(rows[0]);
    let start = 0;
    while (start < rows.length) {
      const count = rowsAtOnce.find((size) => size <= rows.length - start) ?? 1;
      const parameters: unknown[] = [];
      for (let place = start; place < start + count; place++) {
        const row = rows[place] as Record<string, unknown>;
        for (const column of columns) parameters.push(row[column]);
      }
      await writing.executeQuery(CompiledQuery.raw(this.#sqlFor(columns, count), parameters));
      start += count;
    }
  }

  #sqlFor(columns: readonly string[], count: number): string {
    const key = `${count}:${columns.join()}`;
    let sql = this.#sql.get(key);
    if (sql === undefined) {
      const row = Object.fromEntries(columns.map((column) => [column, 0]));
      sql = this.database
        .insertInto(this.table)
        .values(Array.from({ length: count }, () => row) as never)
        .compile().sql;
      this.#sql.set(key, sql);
    }
    return sql;
  }
}
