import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { ProblemError } from '../problem-error.js';
import { parseRange } from './byte-range.js';

export interface Bytes {
  sizeBytes: number;
  digest: string;
  mediaType: string;
  /** Name to save it under. */
  name: string;
  read: (range?: { start: number; end: number }) => Promise<Readable>;
}

/**
 * Answers with bytes of somebody's own: the browser is told not to guess what they are, not to show them as a page of this
 * server, and to run nothing in them. Takes Range, If-Range and If-None-Match. Raises RANGE_INVALID.
 */
export async function sendBytes(request: FastifyRequest, reply: FastifyReply, bytes: Bytes): Promise<void> {
  const etag = `"${bytes.digest}"`;
  void reply
    .header('etag', etag)
    .header('accept-ranges', 'bytes')
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', "sandbox; default-src 'none'")
    .header('content-disposition', `attachment; filename*=UTF-8''${encodeName(bytes.name)}`)
    // Private and always asked for again: who may see it can change, what it is cannot.
    .header('cache-control', 'private, no-cache');
  if (
    String(request.headers['if-none-match'] ?? '')
      .split(/,\s*/)
      .includes(etag)
  ) {
    void reply.code(304).send();
    return;
  }
  const ifRange = request.headers['if-range'];
  const range =
    ifRange === undefined || ifRange === etag ? parseRange(request.headers.range, bytes.sizeBytes) : undefined;
  if (range === null) {
    void reply.header('content-range', `bytes */${bytes.sizeBytes}`);
    throw new ProblemError('RANGE_INVALID', `The object has ${bytes.sizeBytes} bytes.`, { field: 'Range' });
  }
  const stream = await bytes.read(range);
  if (range !== undefined) {
    void reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${bytes.sizeBytes}`);
  }
  void reply
    .type(bytes.mediaType)
    .header('content-length', range === undefined ? bytes.sizeBytes : range.end - range.start + 1)
    .send(stream);
}

/** RFC 8187; encodeURIComponent leaves five marks that it does not allow. */
function encodeName(name: string): string {
  return encodeURIComponent(name).replace(/['()*!]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}
