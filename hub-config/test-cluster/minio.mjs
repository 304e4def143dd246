// The object store. MinIO listens on loopback besides the address it is given, so that both the host and pods reach it.
import { inState, onBridge, onLoopback } from './places.mjs';
import { programs } from './programs.mjs';
import { send } from './s3-request.mjs';
import { secrets } from './secrets.mjs';

/** MinIO's administrator, as `send` takes it. */
export const minioRoot = () => ({
  endpoint: `http://${onLoopback('minio')}`,
  region: 'us-east-1',
  accessKey: 'labscale-root',
  secretKey: secrets().minioRoot
});

export const minio = {
  name: 'minio',
  command: () => ({
    program: programs.minio,
    args: ['server', '--quiet', '--address', onBridge('minio'), inState('minio')],
    env: {
      HOME: inState(),
      MINIO_ROOT_USER: minioRoot().accessKey,
      MINIO_ROOT_PASSWORD: minioRoot().secretKey,
      MINIO_BROWSER: 'off',
      // It would ask the internet for a newer version of itself.
      MINIO_UPDATE: 'off'
    }
  }),
  async trouble() {
    for (const place of [onLoopback('minio'), onBridge('minio')]) {
      // Its health page answers before its users and buckets are read.
      const { status, text } = await send({ ...minioRoot(), endpoint: `http://${place}` }, 'GET', '/');
      if (status !== 200) return `${place} answered ${status} ${text.slice(0, 300)}`;
    }
    return undefined;
  }
};
