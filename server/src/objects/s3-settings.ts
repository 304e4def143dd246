import { inspect } from 'node:util';

/** A text that no log, error or JSON shows. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

/** An object store that speaks S3, and as whom this server comes to it. */
export interface S3Settings {
  /** `http(s)://host[:port]` */
  endpoint: string;
  bucket: string;
  region: string;
  /** The bucket stands in the path and not in the name of the host. */
  pathStyle: boolean;
  /** Certificates in PEM that the store's is checked with, in place of those that Node knows. */
  ca: string | undefined;
  accessKey: string;
  secretKey: Secret;
  /** As pods reach it. */
  podEndpoint: string;
  /** Further buckets that datasets may be registered from in place; they are only read. */
  dataBuckets: readonly string[];
}
