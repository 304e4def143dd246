import { randomInt } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { isPassing, problemOfStore, refusalOf } from './s3-refusal.js';
import type { S3Settings } from './s3-settings.js';
import { runPolicy, type InputPrefix } from './run-policy.js';
import { askSigned, type SignedAnswer, type SignedRequest } from './signed-request.js';

/** Temporary keys, as they are handed to the pods of a run. */
export interface IssuedCredentials {
  accessKey: string;
  secretKey: string;
  sessionToken: string;
  /** ISO 8601. */
  expiresAt: string;
}

/** Pods of a cluster that is cut off keep their keys for so long; whoever hands them out does so anew before. */
const lifeSeconds = 3_600;
const attempts = 6;

/**
 * Keys that open no more than one run, by AssumeRole with a policy in the request: they can never do more than this
 * server's own user. MinIO notes the run in them, and by that note takes all of a run back at once.
 */
export class StsRunCredentials {
  constructor(private readonly settings: S3Settings) {}

  /** Raises PATH_INVALID and RUNNER_UNSUITED where the inputs cannot be said in a policy. */
  async issue(runId: string, inputs: { prefixes: readonly InputPrefix[] }): Promise<IssuedCredentials> {
    const form = new URLSearchParams({
      Action: 'AssumeRole',
      Version: '2011-06-15',
      DurationSeconds: String(lifeSeconds),
      Policy: runPolicy(this.settings.bucket, runId, inputs.prefixes),
      TokenRevokeType: runId
    });
    const { body } = await this.#ask({
      method: 'POST',
      path: '/',
      service: 'sts',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString()
    });
    const said = (name: string) => {
      const value = new RegExp(`<${name}>([^<]+)</${name}>`).exec(body.toString())?.[1];
      if (value === undefined) throw new Error(`the object store issued credentials without ${name}`);
      return value;
    };
    return {
      accessKey: said('AccessKeyId'),
      secretKey: said('SecretAccessKey'),
      sessionToken: said('SessionToken'),
      expiresAt: new Date(said('Expiration')).toISOString()
    };
  }

  /** All that were issued for a run; no error where there are none. */
  async revoke(runId: string): Promise<void> {
    await this.#ask({
      method: 'POST',
      path: '/minio/admin/v3/revoke-tokens/builtin',
      // Its own tokens every user of MinIO may take back.
      query: { user: this.settings.accessKey, tokenRevokeType: runId }
    });
  }

  async #ask(request: SignedRequest): Promise<SignedAnswer> {
    const { endpoint, region, ca, accessKey, secretKey, bucket } = this.settings;
    const signer = { endpoint, region, ca, accessKey, secretKey: secretKey.reveal() };
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await askSigned(signer, request);
        if (answer.status < 300) return answer;
        throw refusalOf(answer.status, answer.headers, answer.body.toString());
      } catch (error) {
        if (attempt >= attempts || !isPassing(error)) throw problemOfStore(error, { endpoint, bucket });
        await wait(randomInt(100 * 2 ** attempt));
      }
    }
  }
}
