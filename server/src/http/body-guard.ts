import { ProblemError } from '../problem-error.js';

/** Deeper than any notebook; far from where recursion over a value would end the stack. */
const deepest = 200;

/**
 * Refuses what JSON can write but a value cannot keep: numbers such as 1e999, which JavaScript reads as infinite and would
 * store as null, nesting so deep that code that walks it fails, and keys named `__proto__`. Raises BODY_INVALID with a pointer.
 */
export function checkBody(body: unknown): void {
  const open: { value: unknown; depth: number; pointer: string }[] = [{ value: body, depth: 0, pointer: 'body' }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth, pointer } = next;
    if (typeof value === 'number' && !Number.isFinite(value)) {
      throw new ProblemError('BODY_INVALID', 'The number is too large to be kept.', {
        field: pointer,
        mend: 'Send a finite number.'
      });
    }
    if (value === null || typeof value !== 'object') continue;
    if (depth === deepest) {
      throw new ProblemError('BODY_INVALID', `It is nested more than ${deepest} deep.`, {
        field: pointer.split('/').slice(0, 4).join('/')
      });
    }
    for (const [key, item] of Object.entries(value)) {
      if (key === '__proto__') {
        throw new ProblemError('BODY_INVALID', 'A key is named `__proto__`, which would change more than the value.', {
          field: `${pointer}/__proto__`,
          mend: 'Leave that key out or rename it.'
        });
      }
      if (typeof item === 'number' || (item !== null && typeof item === 'object')) {
        open.push({ value: item, depth: depth + 1, pointer: `${pointer}/${key}` });
      }
    }
  }
}
