// Puts and reads a large stream in a process of its own, and prints by how much that raised the memory at its highest.
import { Readable } from 'node:stream';

const [bundle, settings, mebibytes] = process.argv.slice(2);
const { S3ObjectStore, Secret } = await import(bundle);
const { secretKey, ...rest } = JSON.parse(settings);
const store = new S3ObjectStore({ ...rest, secretKey: new Secret(secretKey) });
const chunk = Buffer.alloc(65_536, 'x');
const stream = (count) =>
  Readable.from(
    (function* () {
      for (let n = 0; n < count * 16; n++) yield Buffer.from(chunk);
    })()
  );
await store.put('small', stream(1));
for await (const part of await store.read('small')) void part;
const before = process.resourceUsage().maxRSS;
const { sizeBytes } = await store.put('large', stream(Number(mebibytes)));
let readBytes = 0;
for await (const part of await store.read('large')) readBytes += part.length;
const growth = (process.resourceUsage().maxRSS - before) / 1_024;
process.stdout.write(JSON.stringify({ sizeBytes, readBytes, growthMebibytes: Math.round(growth) }));
process.exit(0);
