import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { ProblemError } from '../problem-error.js';

const longestBody = 65_536;

/** An answer of the store that is not a success. */
export class S3Refusal extends Error {
  constructor(
    readonly status: number,
    /** As S3 names it; empty where the answer names nothing. */
    readonly code: string,
    message: string,
    /** Whether the answer is that of a server that speaks S3. */
    readonly isS3: boolean
  ) {
    super(`${status} ${code}: ${message}`);
    this.name = 'S3Refusal';
  }
}

/** MinIO's token service calls all but the last AccessDenied, and a full disk is at times an InternalError. */
const reasons = [
  ['The request signature we calculated does not match', 'SignatureDoesNotMatch'],
  ['The Access Key Id you provided does not exist', 'InvalidAccessKeyId'],
  ['The difference between the request time and', 'RequestTimeTooSkewed'],
  ['no space left on device', 'XMinioStorageFull']
] as const;

/** What an answer says of its refusal. */
export function refusalOf(status: number, headers: IncomingHttpHeaders, body: string): S3Refusal {
  const said = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1];
  const header = (name: string) => [headers[name]].flat()[0];
  // The answer to a HEAD has no body.
  const named = said('Code') ?? header('x-minio-error-code') ?? '';
  const message = said('Message') ?? header('x-minio-error-desc') ?? body.slice(0, 200);
  const vague = named === 'AccessDenied' || named === 'InternalError';
  const code = vague ? (reasons.find(([words]) => message.includes(words))?.[1] ?? named) : named;
  return new S3Refusal(status, code, message, code !== '' || header('x-amz-request-id') !== undefined);
}

/** Reads it, and leaves its connection free. */
export async function readRefusal(answer: IncomingMessage): Promise<S3Refusal> {
  let body = '';
  for await (const part of answer) if (body.length < longestBody) body += (part as Buffer).toString();
  return refusalOf(answer.statusCode ?? 0, answer.headers, body);
}

const refusedCertificates = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'ERR_TLS_CERT_ALTNAME_INVALID'
]);
const brokenConnections = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'ENOTFOUND',
  'UND_ERR_SOCKET'
]);
const passingCodes = new Set(['RequestTimeout', 'SlowDown', 'InternalError', 'ConditionalRequestConflict']);

const networkCodeOf = (error: unknown) => (error as NodeJS.ErrnoException | undefined)?.code ?? '';

/** Whether the same request may succeed a moment later. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof S3Refusal)) return brokenConnections.has(networkCodeOf(error));
  if (passingCodes.has(error.code)) return true;
  if (error.code === 'XMinioStorageFull') return false;
  // 501 is what the store will never do, 507 a disk that nobody empties in a second.
  return error.status === 408 || error.status === 429 || (error.status >= 500 && ![501, 507].includes(error.status));
}

export function isRefusal(error: unknown, ...codes: string[]): error is S3Refusal {
  return error instanceof S3Refusal && codes.includes(error.code);
}

/** Where a request went, for whoever has to mend it. */
export interface RefusedPlace {
  endpoint: string;
  bucket: string;
  key?: string;
}

/** What is wrong with the store, in plain words and with the variable that mends it. What is no fault of a store comes back as it is. */
export function problemOfStore(error: unknown, { endpoint, bucket, key }: RefusedPlace): unknown {
  const at = `the object store at ${endpoint}`;
  const what = key === undefined ? `the bucket "${bucket}"` : `"${key}" in the bucket "${bucket}"`;
  const unavailable = (detail: string, mend: string) =>
    new ProblemError('STORE_UNAVAILABLE', detail, { mend, cause: error });
  const refused = (detail: string, mend: string) => new ProblemError('STORE_REFUSED', detail, { mend, cause: error });

  if (!(error instanceof S3Refusal)) {
    const code = networkCodeOf(error);
    if (refusedCertificates.has(code)) {
      return unavailable(
        `The certificate of ${at} is not trusted (${code}).`,
        'Set LABSCALE_S3_CA_FILE to the certificates (PEM) of the authority that signed it, and LABSCALE_S3_ENDPOINT to a name that stands in it.'
      );
    }
    if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
      return unavailable(
        `There is no TLS at ${endpoint} (${code}).`,
        'Let LABSCALE_S3_ENDPOINT start with http:// where the store speaks no TLS.'
      );
    }
    if (code.startsWith('HPE_')) {
      return unavailable(
        `What answers at ${endpoint} does not speak HTTP (${code}).`,
        'Let LABSCALE_S3_ENDPOINT start with https:// where the store speaks TLS, and name the port of its S3 interface.'
      );
    }
    if (!brokenConnections.has(code)) return error;
    return unavailable(
      `${capital(at)} cannot be reached (${code}).`,
      'Start it, or set LABSCALE_S3_ENDPOINT to its address; it is tried again by itself.'
    );
  }

  switch (error.code) {
    case 'InvalidAccessKeyId':
      return refused(
        `${capital(at)} does not know the access key of this server.`,
        'Set LABSCALE_S3_ACCESS_KEY to that of a user there.'
      );
    case 'SignatureDoesNotMatch':
      return refused(
        `The secret key of this server is not the one that ${at} knows.`,
        'Set LABSCALE_S3_SECRET_KEY to that of the access key.'
      );
    case 'InvalidTokenId':
    case 'ExpiredToken':
      return refused(`${capital(at)} no longer takes these credentials.`, 'Set LABSCALE_S3_ACCESS_KEY anew.');
    case 'RequestTimeTooSkewed':
      return refused(
        `The clock of this machine and that of ${at} differ by more than 15 minutes.`,
        'Set both clocks right; see LABSCALE_S3_ENDPOINT for which store it is.'
      );
    case 'AuthorizationHeaderMalformed':
    case 'PermanentRedirect':
    case 'InvalidRegion':
      return refused(`${capital(at)} is in another region.`, 'Set LABSCALE_S3_REGION to that of the bucket.');
    case 'NoSuchBucket':
      return refused(
        `${capital(at)} has no bucket "${bucket}".`,
        'Create it, or set LABSCALE_S3_BUCKET to one that is there.'
      );
    case 'AccessDenied':
    case 'AllAccessDisabled':
      return refused(
        `${capital(at)} does not let this server use ${what}.`,
        'Give the user of LABSCALE_S3_ACCESS_KEY the right to read, write, list and delete in LABSCALE_S3_BUCKET.'
      );
    case 'XMinioStorageFull':
    case 'XMinioAdminBucketQuotaExceeded':
      return diskFull(at, error);
    case 'PreconditionFailed':
      return new ProblemError('STATE_CONFLICT', `"${key}" was replaced while it was read.`, { mend: 'Read it again.' });
    case 'XMinioParentIsObject':
    case 'XMinioObjectExistsAsDirectory':
      return new ProblemError('PATH_INVALID', `"${key}" cannot be: a part of it is an object already.`);
    case 'KeyTooLongError':
    case 'XMinioInvalidObjectName':
    case 'XMinioInvalidResourceName':
      return new ProblemError('PATH_INVALID', `${capital(at)} does not take "${key}" as a key.`);
  }
  if (error.status === 507) return diskFull(at, error);
  if (!error.isS3) {
    return unavailable(
      `What answers at ${endpoint} is no object store (${error.status} ${firstLine(error.message)}).`,
      'Set LABSCALE_S3_ENDPOINT to the address of the S3 interface, with http:// or https:// as it speaks.'
    );
  }
  if (isPassing(error)) {
    return unavailable(
      `${capital(at)} cannot serve now (${error.status} ${error.code}).`,
      'It is tried again by itself; see the log of the store.'
    );
  }
  return refused(
    `${capital(at)} refused ${what} (${error.status} ${error.code || 'without a reason'}).`,
    'See the log of the store, and the LABSCALE_S3_ variables.'
  );
}

function diskFull(at: string, cause: unknown): ProblemError {
  return new ProblemError('DISK_FULL', `There is no room left in ${at}.`, {
    mend: 'Make room in the bucket of LABSCALE_S3_BUCKET, or raise its quota.',
    cause
  });
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
const firstLine = (text: string) =>
  text
    .replace(/<[^>]*>/g, ' ')
    .split('\n')[0]!
    .slice(0, 100)
    .trim();
