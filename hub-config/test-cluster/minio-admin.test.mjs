import assert from 'node:assert/strict';
import { createCipheriv, createDecipheriv, pbkdf2Sync } from 'node:crypto';
import { test } from 'node:test';
import { encrypt } from './minio-admin.mjs';

/** Open what `encrypt` made, as MinIO does; throws where it was changed. */
function decrypt(bytes, password) {
  const key = pbkdf2Sync(password, bytes.subarray(0, 32), 8_192, 32, 'sha256');
  const nonce = (sequence) => Buffer.concat([bytes.subarray(33, 41), Buffer.from([sequence, 0, 0, 0])]);
  const ofStream = createCipheriv('aes-256-gcm', key, nonce(0));
  ofStream.final();
  const decipher = createDecipheriv('aes-256-gcm', key, nonce(1));
  decipher.setAAD(Buffer.concat([Buffer.from([0x80]), ofStream.getAuthTag()])).setAuthTag(bytes.subarray(-16));
  return Buffer.concat([decipher.update(bytes.subarray(41, -16)), decipher.final()]).toString();
}

test('a secret goes to MinIO encrypted, under a key of its own each time', () => {
  const bytes = encrypt('password', 'the secret');
  assert.equal(bytes.includes('the secret'), false);
  assert.equal(bytes[32], 2);
  assert.equal(decrypt(bytes, 'password'), 'the secret');
  assert.notDeepEqual(encrypt('password', 'the secret'), bytes);
  bytes[45] ^= 1;
  assert.throws(() => decrypt(bytes, 'password'));
});

test('what is longer than one piece of the stream is refused', () => {
  assert.throws(() => encrypt('password', 'x'.repeat(16_385)), /at most 16 KiB/);
});
