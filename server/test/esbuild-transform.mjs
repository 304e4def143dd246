import { createHash } from 'node:crypto';
import { transformSync } from 'esbuild';

/** Jest's transform of TypeScript to ES modules. */
export default {
  getCacheKey: (source, file) => createHash('sha256').update(`1\0${file}\0${source}`).digest('hex'),
  process: (source, file) =>
    transformSync(source, {
      sourcefile: file,
      loader: 'ts',
      format: 'esm',
      target: 'node24',
      sourcemap: 'inline',
      sourcesContent: false
    })
};
