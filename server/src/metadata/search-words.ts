import { sql, type RawBuilder, type SqlBool } from 'kysely';

/** The words of a search, in lower case; all of them must occur. */
export function searchWords(search: string | undefined): string[] {
  return (search ?? '')
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
}

/** A LIKE pattern for texts that have a word in them, to be used with `escape '\'`. */
export function containing(word: string): string {
  return `%${word.replace(/[\\%_]/g, '\\$&')}%`;
}

/** That a word in lower case occurs in one of the columns, in whatever case it stands there. */
export function occursIn(columns: readonly string[], word: string): RawBuilder<SqlBool> {
  const each = columns.map((column) => sql`lower(${sql.ref(column)}) like ${containing(word)} escape '\\'`);
  return sql`(${sql.join(each, sql` or `)})`;
}
