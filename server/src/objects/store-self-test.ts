import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { ProblemError } from '../problem-error.js';
import type { ObjectStore } from './object-store.js';
import { S3Refusal } from './s3-refusal.js';

/** After a failure, so long nobody tries again. */
const pauseMs = 5_000;

/**
 * Whether results can be published in a store, found out on the wire: it lets this server write, read, list and delete, and
 * refuses the second of two `If-None-Match: *` PUTs. Old servers and some others take the second, and with it the result of
 * an attempt that lost would silently replace that of the one that won.
 */
export class StoreSelfTest {
  #trying: Promise<void> | undefined;
  #fault: ProblemError | undefined;
  #endedAt = 0;

  constructor(
    private readonly store: ObjectStore,
    private readonly logger: Logger
  ) {}

  /** Why nothing can be published; undefined where it can, or where that is not known yet. */
  get fault(): ProblemError | undefined {
    return this.#fault;
  }

  /** Raises why nothing can be published; a store that failed is tried again. */
  async mustHold(): Promise<void> {
    const isDue = this.#fault !== undefined && Date.now() - this.#endedAt > pauseMs;
    if (this.#trying === undefined || isDue) this.start();
    await this.#trying;
    if (this.#fault !== undefined) throw this.#fault;
  }

  /** Begins it; what it finds is logged and kept. */
  start(): void {
    this.#endedAt = Infinity;
    this.#trying = this.#try().then(
      () => {
        if (this.#fault !== undefined) this.logger.info('results can be published in the object store again');
        this.#fault = undefined;
        this.#endedAt = Date.now();
      },
      (error: unknown) => {
        this.#fault = asProblem(error);
        this.#endedAt = Date.now();
        this.logger.error({ err: error }, 'no result can be published in the object store');
      }
    );
  }

  async #try(): Promise<void> {
    // Among what is the server's own, which nobody registers as data.
    const folder = `runs/self-test-${randomUUID()}`;
    const key = `${folder}/key`;
    const first = Buffer.from('first');
    try {
      if (!(await this.store.putIfAbsent(key, first))) throw unsuited('refuses even the first PUT of a key');
      if (await this.store.putIfAbsent(key, Buffer.from('second')))
        throw unsuited('takes the second of two PUTs of a key');
      if ((await this.store.get(key))?.equals(first) !== true) throw unsuited('does not give back what was put first');
      const { objects } = await this.store.list(`${folder}/`);
      if (objects.length !== 1 || objects[0]!.key !== key) throw unsuited('does not list a key that was put');
    } finally {
      // Where nothing may be written there is nothing to delete; its own error would hide the first.
      await this.store.delete(key).catch(() => undefined);
    }
    if ((await this.store.head(key)) !== undefined) throw unsuited('does not delete a key that was put');
  }
}

function unsuited(what: string): ProblemError {
  return new ProblemError(
    'STORE_UNSUITED',
    `The object store ${what} with "If-None-Match: *", so that results could be lost; no run is started or published.`,
    { mend: 'Let LABSCALE_S3_ENDPOINT be a MinIO of 2024-11 or later, or another S3 that knows conditional writes.' }
  );
}

function asProblem(error: unknown): ProblemError {
  const cause = error instanceof ProblemError ? error.more.cause : error;
  if (cause instanceof S3Refusal && cause.status === 501)
    return unsuited('does not know conditions: it refuses every PUT');
  if (error instanceof ProblemError) return error;
  return new ProblemError('STORE_UNAVAILABLE', 'The object store cannot be tried.', {
    mend: 'See the log of the server, and the LABSCALE_S3_ variables.',
    cause: error
  });
}
