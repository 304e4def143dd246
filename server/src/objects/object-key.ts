import { ProblemError } from '../problem-error.js';

const longestBytes = 1_024;

const control = /[\u0000-\u001f\u007f]/;

/** Why a text is not a key (or a path below a folder), or undefined where it is one. */
export function faultOfKey(key: string): string | undefined {
  if (key === '') return 'it is empty';
  if (Buffer.byteLength(key) > longestBytes) return `it is longer than ${longestBytes} bytes`;
  if (control.test(key)) return 'it has a control character';
  // Lone surrogates and what stands for bytes that are not UTF-8 would be two names for one object.
  if (key.includes('\ufffd') || Buffer.from(key).toString() !== key) return 'it is not valid UTF-8';
  for (const segment of key.split('/')) {
    if (segment === '') return 'it starts or ends with "/" or has "//"';
    if (segment === '.' || segment === '..') return `it has the segment "${segment}"`;
    if (Buffer.byteLength(segment) > 255) return 'a part of it is longer than 255 bytes';
  }
  return undefined;
}

/** Raises PATH_INVALID for what is not a key of an object. */
export function checkKey(key: string): void {
  const fault = faultOfKey(key);
  if (fault !== undefined) throw new ProblemError('PATH_INVALID', `"${key.slice(0, 200)}" is not a key: ${fault}.`);
}

/** Order of the UTF-8 bytes, as S3 lists keys; `<` of JavaScript is the order of UTF-16 units, which differs above U+FFFF. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
