/**
 * The part of `size` bytes that a Range header asks for, both ends included; undefined where the whole is to be sent (no
 * header, another unit, several ranges, or one that cannot be read: RFC 9110 lets all of these be ignored); null where it
 * lies outside.
 */
export function parseRange(
  header: string | undefined,
  size: number
): { start: number; end: number } | null | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? null : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < start) return undefined;
  return start >= size ? null : { start, end };
}
