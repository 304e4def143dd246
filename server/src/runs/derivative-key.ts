import { hash } from 'node:crypto';
import { canonicalJson } from '../metadata/canonical-json.js';

/** All that decides what a task makes; equal parts give an equal derivative. */
export interface DerivativeKeyParts {
  analysisDigest: string;
  parametersDigest: string;
  shardDigest: string;
  environmentDigest: string;
}

export function derivativeKey(parts: DerivativeKeyParts): string {
  const { analysisDigest, parametersDigest, shardDigest, environmentDigest } = parts;
  return `sha256:${hash('sha256', canonicalJson({ analysisDigest, environmentDigest, parametersDigest, shardDigest }))}`;
}
