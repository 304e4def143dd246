import { askSigned } from '../src/objects/signed-request.js';
import { describeWithMinio, startMinio, type MinioServer } from './minio-server.js';

describeWithMinio('a MinIO for tests', () => {
  let minio: MinioServer;
  beforeAll(async () => {
    minio = await startMinio({ tls: true, dataBuckets: ['scans'] });
  });
  afterAll(() => minio.stop());

  test('its user works on the objects of its bucket, reads the data buckets, and rules nothing', async () => {
    const user = { ...minio.root, accessKey: minio.accessKey, secretKey: minio.secretKey };
    const status = async (access: typeof user, method: string, path: string, query = {}) =>
      (await askSigned(access, { method, path, query })).status;
    expect(await status(user, 'PUT', '/labscale/a b/é(1)!*.txt')).toBe(200);
    expect(await status(user, 'GET', '/labscale/a b/é(1)!*.txt')).toBe(200);
    expect(await status(minio.root, 'PUT', '/scans/a')).toBe(200);
    expect(await status(user, 'GET', '/scans/a')).toBe(200);
    expect(await status(user, 'PUT', '/scans/b')).toBe(403);
    expect(await status(user, 'PUT', '/another')).toBe(403);
    expect(await status(user, 'DELETE', '/labscale')).toBe(403);
    expect(await status(user, 'PUT', '/labscale', { policy: '' })).toBe(403);
    expect(await status(user, 'GET', '/minio/admin/v3/list-users')).toBe(403);
    expect(await status({ ...user, secretKey: 'another' }, 'GET', '/labscale/a')).toBe(403);
  });

  test('comes back over the same data', async () => {
    await askSigned(minio.root, { method: 'PUT', path: '/labscale/kept', body: 'kept' });
    await minio.kill('SIGKILL');
    await expect(askSigned(minio.root, { method: 'GET', path: '/labscale/kept' })).rejects.toThrow();
    await minio.start();
    expect((await askSigned(minio.root, { method: 'GET', path: '/labscale/kept' })).body.toString()).toBe('kept');
  });
});
