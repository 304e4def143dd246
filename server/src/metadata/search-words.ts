import { sql, type Expression, type RawBuilder, type SqlBool } from 'kysely';

/** The words of a search, all of which must occur. */
export function searchWords(search: string | undefined): string[] {
  return (search ?? '').toLowerCase().split(/\s+/).filter((word) => word !== '');
}

/** True where a column has a text in it, whatever the case of ASCII letters; `%` and `_` stand for themselves. */
export function contains(column: Expression<string>, text: string): RawBuilder<SqlBool> {
  const pattern = `%${text.toLowerCase().replace(/[\\%_]/g, (mark) => `\\${mark}`)}%`;
  // SQLite has no escape character unless one is named; PostgreSQL has this one by default.
  return sql<SqlBool>`lower(${column}) like ${pattern} escape '\\'`;
}
