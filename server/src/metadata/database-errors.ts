/** SQLITE_FULL. */
const sqliteFull = 13;

/** Whether there was no room left, for a file or for the database. */
export function isDiskFull(error: unknown): boolean {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  return code === 'ENOSPC' || errcode === sqliteFull;
}

/** Whether a row was refused because another has its name. */
export function isUniqueViolation(error: unknown): boolean {
  return /unique constraint/i.test((error as Error).message);
}
