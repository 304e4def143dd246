import type { IncomingHttpHeaders } from 'node:http';

export interface Access {
  endpoint: string;
  accessKey: string;
  secretKey: string;
  sessionToken?: string;
  region?: string;
  ca?: string | Buffer;
}

export interface Asked {
  method: string;
  path: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: string | Buffer;
  service?: string;
  at?: Date;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export function askMinio(access: Access, asked: Asked): Promise<Answer>;
export function createBucket(root: Access, bucket: string): Promise<void>;
export function createUser(root: Access, user: { accessKey: string; secretKey: string; policy: object }): Promise<void>;
export function serverPolicy(bucket: string, dataBuckets?: readonly string[]): object;
