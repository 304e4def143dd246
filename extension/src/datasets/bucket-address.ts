import type { BucketSource } from '@labscale/schema';

/** The address of a prefix as tools of S3 write it; the prefix alone where the objects are in a folder of the server. */
export function bucketAddress({ bucket, prefix }: BucketSource): string {
  return bucket === undefined ? prefix : `s3://${bucket}/${prefix}`;
}
