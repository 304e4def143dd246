// The object store. MinIO listens on loopback besides the address it is given, so that both the host and pods reach it.
import { troubleAt } from './answers.mjs';
import { inState, onBridge, onLoopback } from './places.mjs';
import { programs } from './programs.mjs';
import { secrets } from './secrets.mjs';

export const minioRootUser = 'labscale-root';

export const minio = {
  name: 'minio',
  command: () => ({
    program: programs.minio,
    args: ['server', '--quiet', '--address', onBridge('minio'), inState('minio')],
    env: {
      HOME: inState(),
      MINIO_ROOT_USER: minioRootUser,
      MINIO_ROOT_PASSWORD: secrets().minioRoot,
      MINIO_BROWSER: 'off',
      // It would ask the internet for a newer version of itself.
      MINIO_UPDATE: 'off'
    }
  }),
  async trouble() {
    for (const place of [onLoopback('minio'), onBridge('minio')]) {
      const trouble = await troubleAt(`http://${place}/minio/health/ready`);
      if (trouble) return trouble;
    }
    return undefined;
  }
};
