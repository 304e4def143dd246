import { randomBytes } from 'node:crypto';

/** Prefix of an id to the table that holds it. */
export const tableOfPrefix = {
  ds: 'dataset',
  dv: 'datasetVersion',
  qu: 'query',
  sn: 'snippet',
  an: 'analysis',
  av: 'analysisVersion',
  ps: 'parameterSet',
  pv: 'parameterSetVersion',
  run: 'run'
} as const;
export type IdPrefix = keyof typeof tableOfPrefix;

const digits = '0123456789abcdefghjkmnpqrstvwxyz';

/**
 * A new id: 9 characters of milliseconds since 1970, then 11 of chance, in Crockford's base 32 in lower case, so that ids
 * sort by time and fit a Kubernetes name.
 */
export function newId(prefix: IdPrefix): string {
  let time = Date.now();
  let head = '';
  for (let place = 0; place < 9; place++) {
    head = digits.charAt(time % 32) + head;
    time = Math.floor(time / 32);
  }
  let tail = '';
  for (const byte of randomBytes(11)) tail += digits.charAt(byte % 32);
  return `${prefix}-${head}${tail}`;
}

export function prefixOf(id: string): IdPrefix | undefined {
  const prefix = id.slice(0, id.indexOf('-'));
  return Object.hasOwn(tableOfPrefix, prefix) ? (prefix as IdPrefix) : undefined;
}
