import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** mulberry32: the same numbers in every run. */
export function seededRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function npy(side, random) {
  const shape = `{'descr': '<f4', 'fortran_order': False, 'shape': (${side}, ${side}), }`;
  // The .npy format wants the header, its 10 bytes of magic and length included, to end at a multiple of 64.
  const header = `${shape.padEnd(128 - 10 - 1)}\n`;
  const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  const pixels = Float32Array.from({ length: side * side }, () => random() * 10);
  return Buffer.concat([start, Buffer.from(header, 'latin1'), Buffer.from(pixels.buffer)]);
}

export function shardName(index) {
  return `shard-${String(index).padStart(6, '0')}`;
}

/** Makes `count` folders with one small picture each (`image.npy`, float32). */
export async function makePictureShards(folder, count, side = 128) {
  const random = seededRandom(1);
  for (let index = 0; index < count; index += 1) {
    const shard = join(folder, shardName(index));
    await mkdir(shard, { recursive: true });
    await writeFile(join(shard, 'image.npy'), npy(side, random));
  }
}

/** Makes `count` folders with a few numbers each (`numbers.txt`). */
export async function makeNumberShards(folder, count) {
  for (let index = 0; index < count; index += 1) {
    const shard = join(folder, shardName(index));
    await mkdir(shard, { recursive: true });
    await writeFile(join(shard, 'numbers.txt'), `${index}\n${index * 7_919}\n`);
  }
}

/** Makes `count` small text files in one folder, some hundreds at a time. */
export async function makeTextShards(folder, count) {
  await mkdir(folder, { recursive: true });
  for (let first = 0; first < count; first += 500) {
    const indexes = Array.from({ length: Math.min(500, count - first) }, (_, i) => first + i);
    await Promise.all(indexes.map((index) => writeFile(join(folder, `${shardName(index)}.txt`), `${index * 7_919}\n`)));
  }
}
