import { randomUUID } from 'node:crypto';
import { Agent as HttpAgent, request as requestHttp, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import type { Client } from 'minio';
import { ProblemError } from '../problem-error.js';
import { checkKey, faultOfKey } from './object-key.js';
import type { LevelPage, ObjectInfo, ObjectPage, ObjectStore } from './object-store.js';
import { ResumedRead } from './resumed-read.js';
import { readListing, type S3Listing } from './s3-listing.js';
import { isPassing, isRefusal, problemOfStore, readRefusal, S3Refusal } from './s3-refusal.js';
import type { S3Settings } from './s3-settings.js';
import { percentEncoded } from './signed-request.js';

const mebibyte = 1_048_576;
const connectionsAtOnce = 64;
/** What S3 lists or deletes with one request. */
const keysAtOnce = 1_000;
/** No byte for so long, and the other side is taken for dead. */
const silentForMs = 60_000;
/** By which a writer knows again what it wrote. */
const writerHeader = 'x-amz-meta-labscale-writer';

/** S3 takes 10,000 parts: 8 GiB in small ones, then 560 GiB in larger ones, of which one is in memory at a time. */
const partBytes = (number: number) => (number <= 1_000 ? 8 : 64) * mebibyte;

export interface Retries {
  attempts: number;
  firstWaitMs: number;
  longestWaitMs: number;
}

const usualRetries: Retries = { attempts: 6, firstWaitMs: 100, longestWaitMs: 2_000 };

/** A raw request of S3. */
interface Asked {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  objectName?: string;
  query?: string;
  headers?: Record<string, string>;
}

/** Objects in a bucket of MinIO or any other S3. */
export class S3ObjectStore implements ObjectStore {
  readonly #client: () => Promise<Client>;

  constructor(
    private readonly settings: S3Settings,
    private readonly retries: Retries = usualRetries,
    client?: () => Promise<Client>
  ) {
    this.#client = client ?? lazily(() => connect(settings));
  }

  /** The same store, through the same connections, bound to another bucket. */
  inBucket(bucket: string): S3ObjectStore {
    return new S3ObjectStore({ ...this.settings, bucket }, this.retries, this.#client);
  }

  async put(key: string, body: Buffer | Readable): Promise<ObjectInfo> {
    checkKey(key);
    if (Buffer.isBuffer(body)) return await this.#putWhole(key, body);
    const parts = partsOf(body);
    try {
      const first = await parts.next();
      const second = await parts.next();
      if (first.done || second.done) return await this.#putWhole(key, first.value ?? Buffer.alloc(0));
      return await this.#putParts(key, prepend([first.value, second.value], parts));
    } finally {
      await parts.return(undefined);
    }
  }

  async #putWhole(key: string, body: Buffer): Promise<ObjectInfo> {
    await this.#ask(key, { method: 'PUT' }, drained, body);
    return { key, sizeBytes: body.length };
  }

  async #putParts(key: string, parts: AsyncIterable<Buffer>): Promise<ObjectInfo> {
    const { bucket } = this.settings;
    const client = await this.#client();
    const upload = await this.#retrying(key, () => client.initiateNewMultipartUpload(bucket, key, {}));
    let sizeBytes = 0;
    try {
      const etags: { part: number; etag: string }[] = [];
      for await (const part of parts) {
        const number = etags.length + 1;
        const query = `partNumber=${number}&uploadId=${encodeURIComponent(upload)}`;
        const etag = await this.#ask(key, { method: 'PUT', query }, tagOf, part);
        etags.push({ part: number, etag });
        sizeBytes += part.length;
      }
      await this.#complete(key, upload, etags, sizeBytes);
    } catch (error) {
      // Parts of an upload that nobody completes take room and stand in no list.
      await this.#retrying(key, () => client.abortMultipartUpload(bucket, key, encodeURIComponent(upload))).catch(
        () => undefined
      );
      throw error;
    }
    return { key, sizeBytes };
  }

  async #complete(key: string, upload: string, etags: { part: number; etag: string }[], sizeBytes: number) {
    const client = await this.#client();
    let doubtful = false;
    await this.#retrying(key, async () => {
      try {
        await client.completeMultipartUpload(this.settings.bucket, key, upload, etags);
      } catch (error) {
        // The answer to an earlier attempt was lost, not the attempt.
        if (doubtful && isRefusal(error, 'NoSuchUpload') && (await this.head(key))?.sizeBytes === sizeBytes) return;
        doubtful = true;
        throw error;
      }
    });
  }

  async putIfAbsent(key: string, body: Buffer): Promise<boolean> {
    checkKey(key);
    const writer = randomUUID();
    let doubtful = false;
    return await this.#retrying(key, async () => {
      try {
        // As a raw header: given as metadata to this client, it was once sent under another name and stopped nobody.
        const headers = { 'if-none-match': '*', [writerHeader]: writer };
        await this.#send({ method: 'PUT', objectName: key, headers }, body).then(drained);
        return true;
      } catch (error) {
        if (!(error instanceof S3Refusal && error.status === 412)) {
          doubtful = true;
          throw error;
        }
        // Where the answer to an earlier attempt was lost, the key may be taken by that attempt itself.
        return doubtful && (await this.#writerOf(key)) === writer;
      }
    });
  }

  async #writerOf(key: string): Promise<string | undefined> {
    const answer = await this.#send({ method: 'HEAD', objectName: key });
    answer.resume();
    return [answer.headers[writerHeader]].flat()[0];
  }

  async read(key: string, range?: { start: number; end?: number }): Promise<Readable> {
    checkKey(key);
    const invalid = (sizeBytes: number) =>
      new ProblemError(
        'RANGE_INVALID',
        `The object has ${sizeBytes} bytes; ${range?.start} to ${range?.end ?? 'its end'} is not in it.`
      );
    const outside = range !== undefined && (range.start < 0 || (range.end ?? range.start) < range.start);
    const answer = outside ? undefined : await this.#get(key, range);
    if (answer === undefined) {
      const info = await this.head(key);
      throw info === undefined ? absent(key) : invalid(info.sizeBytes);
    }
    return this.#stream(key, answer, range?.start ?? 0);
  }

  /** The answer with the bytes of a range; undefined where the object ends before it. Raises NOT_FOUND. */
  async #get(
    key: string,
    range: { start: number; end?: number } | undefined,
    etag?: string
  ): Promise<IncomingMessage | undefined> {
    const headers: Record<string, string> = {};
    if (range !== undefined) headers['range'] = `bytes=${range.start}-${range.end ?? ''}`;
    if (etag !== undefined) headers['if-match'] = etag;
    try {
      return await this.#ask(key, { method: 'GET', headers }, async (answer) => {
        const isPart = range !== undefined;
        // Without its length, an answer that is cut looks whole; a whole one in place of a part would be taken for the part.
        if (answer.headers['content-length'] !== undefined && (answer.statusCode === 206) === isPart) return answer;
        answer.destroy();
        throw new S3Refusal(502, '', 'the answer has no length, or is not the part that was asked for', true);
      });
    } catch (error) {
      const cause = causeOf(error);
      if (isRefusal(cause, 'NoSuchKey')) throw absent(key);
      if (isRefusal(cause, 'InvalidRange')) return undefined;
      throw error;
    }
  }

  /** Goes on where the connection breaks, as long as the object is the same one and each attempt brings something. */
  #stream(key: string, first: IncomingMessage, start: number): Readable {
    const announced = Number(first.headers['content-length']);
    const etag = first.headers.etag;
    const { endpoint, bucket } = this.settings;
    let fruitless = 0;
    let reached = 0;
    return new ResumedRead(first, async (delivered, broken) => {
      fruitless = delivered > reached ? 1 : fruitless + 1;
      reached = delivered;
      if (isPassing(broken) && fruitless < this.retries.attempts && etag !== undefined) {
        await this.#waitBefore(fruitless);
        const next = await this.#get(key, { start: start + delivered, end: start + announced - 1 }, etag);
        if (next !== undefined) return next;
      }
      throw problemOfStore(broken, { endpoint, bucket, key });
    });
  }

  async get(key: string): Promise<Buffer | undefined> {
    checkKey(key);
    try {
      return await buffer(await this.read(key));
    } catch (error) {
      if (error instanceof ProblemError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    checkKey(key);
    try {
      return await this.#ask(key, { method: 'HEAD' }, async (answer) => {
        answer.resume();
        return { key, sizeBytes: Number(answer.headers['content-length']), etag: plainTag(answer.headers.etag) };
      });
    } catch (error) {
      const cause = causeOf(error);
      // The answer to a HEAD has no body, so that other stores than MinIO only say 404.
      if (cause instanceof S3Refusal && cause.status === 404 && cause.isS3 && cause.code !== 'NoSuchBucket')
        return undefined;
      // Without a body, a refusal may come without its reason; the same question as a list has both.
      if (cause instanceof S3Refusal && cause.code === '' && !isPassing(cause)) await this.#page(key, '', 1);
      throw error;
    }
  }

  async list(prefix: string, options: { cursor?: string; limit?: number } = {}): Promise<ObjectPage> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    if (folder !== '') checkKey(folder.slice(0, -1));
    const limit = options.limit ?? keysAtOnce;
    const objects: ObjectInfo[] = [];
    let cursor: string | null = options.cursor ?? '';
    do {
      const page: ObjectPage = await this.#page(prefix, cursor, limit - objects.length);
      // What others put there, such as the empty objects that stand for folders, has no place among keys.
      objects.push(...page.objects.filter(({ key }) => faultOfKey(key) === undefined));
      cursor = page.nextCursor;
    } while (cursor !== null && objects.length < limit);
    return { objects, nextCursor: cursor };
  }

  async listAll(prefix: string, options: { cursor?: string; limit?: number } = {}): Promise<ObjectPage> {
    return await this.#page(prefix, options.cursor ?? '', options.limit ?? keysAtOnce);
  }

  async listLevel(prefix: string, options: { cursor?: string; limit?: number } = {}): Promise<LevelPage> {
    const { cursor, limit = keysAtOnce } = options;
    const { objects, folders, token } = await this.#listing([
      // A key to start after would give its folder again, where the page before ended with one.
      ...(cursor === undefined ? [] : ([['continuation-token', cursor]] as const)),
      ['delimiter', '/'],
      ['encoding-type', 'url'],
      ['list-type', '2'],
      ['max-keys', String(Math.min(limit, keysAtOnce))],
      ['prefix', prefix]
    ]);
    return { objects, folders, nextCursor: token };
  }

  async #page(prefix: string, after: string, limit: number): Promise<ObjectPage> {
    const { objects, next } = await this.#listing([
      ['encoding-type', 'url'],
      ['list-type', '2'],
      ['max-keys', String(Math.min(limit, keysAtOnce))],
      ['prefix', prefix],
      ...(after === '' ? [] : ([['start-after', after]] as const))
    ]);
    return { objects, nextCursor: next };
  }

  /** @param query in the order of the names, as the signature has them. */
  async #listing(query: readonly (readonly [string, string])[]): Promise<S3Listing> {
    const asked = query.map(([name, value]) => `${name}=${percentEncoded(value)}`).join('&');
    return await this.#ask(undefined, { method: 'GET', query: asked }, async (answer) => {
      return readListing(await text(answer));
    });
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    try {
      await this.#ask(key, { method: 'DELETE' }, drained);
    } catch (error) {
      if (!isRefusal(causeOf(error), 'NoSuchKey')) throw error;
    }
  }

  async deletePrefix(prefix: string): Promise<void> {
    // Without the slash, `runs/run-1` would take `runs/run-10` with it.
    if (!prefix.endsWith('/')) throw new ProblemError('PATH_INVALID', `The prefix "${prefix}" does not end with "/".`);
    checkKey(prefix.slice(0, -1));
    const client = await this.#client();
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: ObjectPage = await this.#page(prefix, cursor, keysAtOnce);
      const keys = page.objects.map(({ key }) => key);
      cursor = page.nextCursor;
      if (keys.length === 0) continue;
      await this.#retrying(prefix, async () => {
        // What it returns are the errors of single keys, and not in the shape that its types tell.
        const failed: unknown[] = await client.removeObjects(this.settings.bucket, keys);
        const worst = failed[0] as { Code?: string; Message?: string } | undefined;
        if (worst !== undefined) throw new S3Refusal(200, worst.Code ?? '', worst.Message ?? '', true);
      });
    }
  }

  /** S3 acknowledges what survives. */
  async sync(): Promise<void> {}

  fileOf(): undefined {
    return undefined;
  }

  /** A request whose answer, read by `take`, is the result; tried again where that may help. Raises ProblemError. */
  async #ask<T>(
    key: string | undefined,
    asked: Asked,
    take: (answer: IncomingMessage) => Promise<T>,
    body?: Buffer
  ): Promise<T> {
    return await this.#retrying(key, async () =>
      take(await this.#send({ ...asked, ...(key === undefined ? {} : { objectName: key }) }, body))
    );
  }

  async #send(asked: Asked, body?: Buffer): Promise<IncomingMessage> {
    const client = await this.#client();
    const headers = { ...asked.headers };
    return await client.makeRequestAsync(
      { ...asked, headers, bucketName: this.settings.bucket },
      body,
      [200, 204, 206]
    );
  }

  async #retrying<T>(key: string | undefined, act: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await act();
      } catch (error) {
        if (error instanceof ProblemError) throw error;
        if (attempt >= this.retries.attempts || !isPassing(error)) {
          const { endpoint, bucket } = this.settings;
          throw problemOfStore(error, { endpoint, bucket, ...(key === undefined ? {} : { key }) });
        }
        await this.#waitBefore(attempt);
      }
    }
  }

  /** Longer each time, and never as long as others wait, who would all come back at once. */
  async #waitBefore(attempt: number): Promise<void> {
    const { firstWaitMs, longestWaitMs } = this.retries;
    await wait(Math.random() * Math.min(longestWaitMs, firstWaitMs * 2 ** attempt));
  }
}

/** The client, loaded only where a store is configured: it takes some 20 MB. */
async function connect({ endpoint, region, pathStyle, ca, accessKey, secretKey }: S3Settings): Promise<Client> {
  const { Client } = await import('minio');
  const { protocol, hostname, port } = new URL(endpoint);
  const useSSL = protocol === 'https:';
  const pool = { keepAlive: true, maxSockets: connectionsAtOnce };
  return new Client({
    endPoint: hostname,
    useSSL,
    ...(port === '' ? {} : { port: Number(port) }),
    ...{ region, pathStyle, accessKey, secretKey: secretKey.reveal() },
    transport: { request: watched(useSSL ? requestHttps : requestHttp) as typeof requestHttp },
    transportAgent: useSSL ? new HttpsAgent({ ...pool, ...(ca === undefined ? {} : { ca }) }) : new HttpAgent(pool),
    // It tries again without the reason of the failure, and would not say it in the end.
    retryOptions: { disableRetry: true }
  });
}

/** Requests that end where the other side is silent, and fail with what it says where it refuses. */
function watched(request: typeof requestHttp) {
  return (options: RequestOptions, take: (answer: IncomingMessage) => void) => {
    const asked = request({ ...options, timeout: silentForMs });
    asked.on('timeout', () => {
      asked.destroy(Object.assign(new Error('the object store is silent'), { code: 'ETIMEDOUT' }));
    });
    asked.on('response', (answer) => {
      if ((answer.statusCode ?? 0) < 300) return take(answer);
      readRefusal(answer).then(
        (refusal) => asked.emit('error', refusal),
        (error: unknown) => asked.emit('error', error)
      );
    });
    return asked;
  };
}

function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

/** The bytes of a stream in parts for S3, each as large as it may be but the last. */
async function* partsOf(body: Readable): AsyncGenerator<Buffer, undefined> {
  let chunks: Buffer[] = [];
  let held = 0;
  let number = 1;
  for await (const chunk of body) {
    for (let rest = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk as Uint8Array | string); rest.length > 0;) {
      const taken = rest.subarray(0, partBytes(number) - held);
      rest = rest.subarray(taken.length);
      chunks.push(taken);
      held += taken.length;
      if (held < partBytes(number)) continue;
      yield Buffer.concat(chunks);
      [chunks, held, number] = [[], 0, number + 1];
    }
  }
  if (held > 0) yield Buffer.concat(chunks);
}

async function* prepend<T>(first: readonly T[], rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield* first;
  yield* rest;
}

async function drained(answer: IncomingMessage): Promise<void> {
  for await (const part of answer) void part;
}

async function tagOf(answer: IncomingMessage): Promise<string> {
  await drained(answer);
  return plainTag(answer.headers.etag);
}

const plainTag = (etag: string | undefined) => (etag ?? '').replaceAll('"', '');
const causeOf = (error: unknown) => (error instanceof ProblemError ? error.more.cause : error);
const absent = (key: string) => new ProblemError('NOT_FOUND', `There is no object "${key}".`);
