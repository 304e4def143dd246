import { ProblemError } from '../problem-error.js';

/**
 * The place after which a page starts, as the text that a client hands back. `order` names the list and its order, so that
 * a cursor of another list is refused and not misread.
 */
export function encodeCursor(order: string, ...after: (string | number | null)[]): string {
  return Buffer.from(JSON.stringify([order, ...after])).toString('base64url');
}

/** The values given to `encodeCursor`; undefined for the first page. Raises CURSOR_INVALID. */
export function decodeCursor<V extends (string | number | null)[]>(
  cursor: string | undefined,
  order: string,
  isValid: (after: unknown[]) => after is V
): V | undefined {
  if (cursor === undefined) return undefined;
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    parts = undefined;
  }
  if (Array.isArray(parts) && parts[0] === order) {
    const after = parts.slice(1);
    if (isValid(after)) return after;
  }
  throw new ProblemError('CURSOR_INVALID', 'The cursor is not one that this list handed out.', {
    field: 'query/cursor',
    mend: 'Start again without a cursor.'
  });
}
