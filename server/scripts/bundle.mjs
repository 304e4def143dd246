// Writes dist/labscale-server.mjs: the server as a Node >= 22.13 runs it, with nothing installed beside it. What only a
// cluster or an object store needs lies in files of its own, which are read when it is used: they would double the memory
// of a server that runs on one machine.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Gives the file to run, and the bytes of all; what the folder held before is removed. */
export async function bundle(folder = here('../dist')) {
  await rm(folder, { recursive: true, force: true });
  const { metafile } = await build({
    entryPoints: { 'labscale-server': here('../src/main.ts') },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    chunkNames: '[name]-[hash]',
    splitting: true,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    // Smaller and sooner read; names stay, so that a stack in the log still says where.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
    // CommonJS packages inside an ES module ask for what only CommonJS has.
    banner: {
      js: [
        "import { createRequire as labscaleCreateRequire } from 'node:module';",
        "import { fileURLToPath as labscaleFileURLToPath } from 'node:url';",
        'const require = labscaleCreateRequire(import.meta.url);',
        'const __filename = labscaleFileURLToPath(import.meta.url);',
        "const __dirname = labscaleFileURLToPath(new URL('.', import.meta.url));"
      ].join('\n')
    }
  });
  const bytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0);
  return { outfile: join(folder, 'labscale-server.mjs'), bytes };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { outfile, bytes } = await bundle(process.argv[2]);
  console.log(`${outfile}: ${(bytes / 1_048_576).toFixed(1)} MiB`);
}
