import { createHash } from 'node:crypto';
import type { Operations } from '@labscale/schema';
import { ProblemError } from '../problem-error.js';

type GivenThumbnail = NonNullable<Operations['createParameterSet']['body']['thumbnail']>;

export interface ThumbnailImage {
  digest: string;
  mediaType: string;
  bytes: Buffer;
}

const largestBytes = 1_048_576;
const beginnings = {
  'image/png': Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
  'image/jpeg': Buffer.from([0xff, 0xd8, 0xff])
};

export function thumbnailKey(digest: string): string {
  return `thumbnails/${digest.replace('sha256:', '')}`;
}

/** Reads a picture. Raises BODY_INVALID where it is not what it says to be, TOO_LARGE above 1 MiB. */
export function readThumbnail({ mediaType, base64 }: GivenThumbnail): ThumbnailImage {
  const field = 'body/thumbnail/base64';
  const bytes = Buffer.from(base64, 'base64');
  // Node passes over what is not base64; whether something was left out shows when it is written again.
  if (bytes.toString('base64').replace(/=+$/, '') !== base64.replace(/=+$/, '')) {
    throw new ProblemError('BODY_INVALID', 'The thumbnail is not base64.', {
      field,
      mend: 'Send it without line breaks.'
    });
  }
  if (bytes.length > largestBytes) {
    throw new ProblemError('TOO_LARGE', `The thumbnail has ${bytes.length} bytes; it may have ${largestBytes}.`, {
      field,
      mend: 'Send a smaller picture.'
    });
  }
  const beginning = beginnings[mediaType];
  if (!bytes.subarray(0, beginning.length).equals(beginning)) {
    throw new ProblemError('BODY_INVALID', `The thumbnail does not begin as ${mediaType} does.`, {
      field,
      mend: 'Send the bytes of a PNG or JPEG file with its media type.'
    });
  }
  return { digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, mediaType, bytes };
}
