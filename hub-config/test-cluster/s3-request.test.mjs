import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signedHeaders } from './s3-request.mjs';

test('a request is signed as the example of the specification is', () => {
  const store = {
    endpoint: 'https://examplebucket.s3.amazonaws.com',
    region: 'us-east-1',
    accessKey: 'AKIAIOSFODNN7EXAMPLE',
    secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
  };
  const now = new Date('2013-05-24T00:00:00.000Z');
  const { authorization } = signedHeaders(store, 'GET', '/', { lifecycle: '' }, Buffer.alloc(0), now);
  assert.equal(
    authorization.split('Signature=')[1],
    'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'
  );
});
