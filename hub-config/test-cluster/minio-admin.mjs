// Makes users of MinIO and says what they may do, by MinIO's admin API.
import { createCipheriv, pbkdf2Sync, randomBytes } from 'node:crypto';
import { send } from './s3-request.mjs';

const pbkdf2WithAesGcm = 2;
const fragmentSize = 16_384;

/**
 * Encrypt a text of at most 16 KiB for the admin API, which takes secrets in no other form:
 * salt (32 bytes), kind of cipher (1), nonce (8), and one fragment of an AES-256-GCM stream.
 */
export function encrypt(password, text) {
  if (Buffer.byteLength(text) > fragmentSize) throw new Error('A text for the admin API has at most 16 KiB.');
  const salt = randomBytes(32);
  const nonce = randomBytes(8);
  const key = pbkdf2Sync(password, salt, 8_192, 32, 'sha256');
  const seal = (sequence, plain, associated) => {
    const number = Buffer.alloc(4);
    number.writeUInt32LE(sequence);
    const cipher = createCipheriv('aes-256-gcm', key, Buffer.concat([nonce, number])).setAAD(associated);
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  };
  // Each fragment is bound to the stream by a tag over nothing, and the last is marked as the last.
  const last = Buffer.concat([Buffer.from([0x80]), seal(0, '', Buffer.alloc(0))]);
  return Buffer.concat([salt, Buffer.from([pbkdf2WithAesGcm]), nonce, seal(1, text, last)]);
}

async function admin(store, method, call, query, body) {
  const { status, text } = await send(store, method, `/minio/admin/v3/${call}`, { query, body });
  if (status !== 200 && !text.includes('XMinioAdminPolicyChangeAlreadyApplied'))
    throw new Error(`MinIO refused ${call}: ${status} ${text}`);
}

/** See to it that MinIO has a user with exactly this policy. `store` holds the root user's keys. */
export async function ensureUser(store, { accessKey, secretKey, policyName, policy }) {
  await admin(store, 'PUT', 'add-canned-policy', { name: policyName }, Buffer.from(JSON.stringify(policy)));
  const user = JSON.stringify({ secretKey, status: 'enabled' });
  await admin(store, 'PUT', 'add-user', { accessKey }, encrypt(store.secretKey, user));
  await admin(store, 'PUT', 'set-user-or-group-policy', { policyName, userOrGroup: accessKey, isGroup: 'false' });
}
