// Writes dist/labscale-server.mjs: the server as one file that a Node >= 22.13 runs, with nothing installed beside it.
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export async function bundle(outfile = here('../dist/labscale-server.mjs')) {
  const { metafile } = await build({
    entryPoints: [here('../src/main.ts')],
    outfile,
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
  return { outfile, bytes: Object.values(metafile.outputs)[0].bytes };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { outfile, bytes } = await bundle(process.argv[2]);
  console.log(`${outfile}: ${(bytes / 1_048_576).toFixed(1)} MiB`);
}
