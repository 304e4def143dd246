import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startLab } from './lab.mjs';
import { packageVersions, processMemory } from './machine.mjs';
import { interleave, median, seconds, summary } from './measure.mjs';
import { say } from './progress.mjs';
import { registerFolder } from './promote.mjs';
import { python } from './repository.mjs';
import { withScratch } from './scratch.mjs';
import { startServer } from './server.mjs';
import { makeTextShards } from './shards.mjs';

export const title = 'register and page through a folder of many shards, against a bare walk of the folder';
export const unit = 's for the whole walk';
export const sizes = { shards: 100_000, pairs: 5, contents: 3 };
export const roughSizes = { shards: 20_000, pairs: 3, contents: 1 };
export const goals = [
  { figure: 'ratio', says: 'first page over a bare listing of it', atMost: 2 },
  { figure: 'ratioWalk', says: 'all pages over a bare walk with stat', atMost: 1.15 },
  { figure: 'ratioDeep', says: 'deep page over first page', atLeast: 0.75, atMost: 1.25 },
  { figure: 'growthMebibytes', says: 'growth of the server while pages are read', atMost: 64, unit: 'MiB', exact: true }
];

const pageSize = 1_000;

/** What a program without an index has to do for the first page: read all names, sort, stat those of the page. */
function bareFirstPage(folder) {
  const names = readdirSync(folder).sort().slice(0, pageSize);
  return names.map((name) => ({ name, sizeBytes: lstatSync(join(folder, name)).size }));
}

function bareWalk(folder) {
  return readdirSync(folder)
    .sort()
    .map((name) => ({ name, sizeBytes: lstatSync(join(folder, name)).size }));
}

function bareDigests(folder) {
  return readdirSync(folder)
    .sort()
    .map((name) =>
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex')
    );
}

export function measure({ shards, pairs, contents }) {
  return withScratch(async ({ folder, atEnd }) => {
    const project = join(folder, 'project');
    const shardsFolder = join(project, 'shards');
    await makeTextShards(shardsFolder, shards);
    say(`${shards} files made`);
    const server = await startServer(project);
    atEnd(server.stop);
    const rest = processMemory(server.pid, 'VmRSS');

    let version;
    const registering = await interleave(1, {
      ours: () => seconds(async () => (version = await registerFolder(server, 'shards', 'file-per-shard'))),
      peer: () => seconds(async () => bareDigests(shardsFolder))
    });
    if (version.shardCount !== shards) throw new Error(`registered ${version.shardCount} of ${shards} shards`);
    const registerGrowth = processMemory(server.pid, 'VmHWM') - rest;
    const beforePages = processMemory(server.pid, 'VmRSS');
    let most = beforePages;

    const page = (cursor) =>
      server.call('listShards', {
        params: { versionId: version.id },
        query: { limit: pageSize, ...(cursor && { cursor }) }
      });
    let deepCursor;
    const walk = async () => {
      let cursor;
      let seen = 0;
      do {
        const { items, nextCursor } = await page(cursor);
        seen += items.length;
        cursor = nextCursor ?? undefined;
        most = Math.max(most, processMemory(server.pid, 'VmRSS'));
        if (seen >= shards * 0.9 && cursor && !deepCursor) deepCursor = cursor;
      } while (cursor);
      if (seen !== shards) throw new Error(`the pages hold ${seen} of ${shards} shards`);
    };
    await walk();
    const walks = await interleave(pairs, {
      ours: () => seconds(walk),
      peer: () => seconds(async () => bareWalk(shardsFolder))
    });
    const first = await interleave(pairs * 3, {
      ours: () => seconds(() => page()),
      peer: () => seconds(async () => bareFirstPage(shardsFolder))
    });
    const deep = await interleave(pairs * 3, {
      ours: () => seconds(() => page(deepCursor)),
      peer: () => seconds(() => page())
    });

    // The contrast: how Lab's own file browser asks for the same folder.
    const labFolder = join(folder, 'lab');
    await mkdir(labFolder);
    const lab = await startLab(labFolder, project, { withExtension: false });
    const listed = [];
    try {
      for (let i = 0; i < contents; i += 1) {
        listed.push(await seconds(() => lab.get('/api/contents/shards?type=directory&content=1')));
      }
    } finally {
      await lab.stop();
    }
    return {
      ours: walks.ours,
      peer: walks.peer,
      control: walks.control,
      figures: {
        ratio: first.ratio,
        ratioWalk: walks.ratio,
        ratioDeep: deep.ratio,
        growthMebibytes: (most - beforePages) / 2 ** 20,
        registerGrowthMebibytes: registerGrowth / 2 ** 20,
        ratioRegister: registering.ratio,
        ratioContents: median(first.ours) / median(listed)
      },
      details: {
        firstPage: { ours: summary(first.ours), bare: summary(first.peer) },
        deepPage: summary(deep.ours),
        register: { ours: summary(registering.ours), bareDigests: summary(registering.peer) },
        labContents: summary(listed)
      },
      versions: await packageVersions(python, ['jupyterlab', 'jupyter_server'])
    };
  });
}
