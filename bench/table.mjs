import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { benchFolder } from './repository.mjs';

const readme = join(benchFolder, 'README.md');
const start = (group) => `<!-- figures: written by \`npm run bench -- ${group}\` -->`;
const stop = '<!-- end of figures -->';

const cell = (text) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');

function samples(summary, unit) {
  if (!summary) return '–';
  return `${summary.median} (${summary.min}–${summary.max}, n=${summary.n}) ${unit}`;
}

function row(result) {
  if (result.error) return `| \`${result.id}\` | – | – | – | – | did not end: ${cell(result.error.slice(-200))} |`;
  const says = result.pass ? 'pass' : result.conclusive ? '**short**' : '**open: the machine was too noisy**';
  const detail = result.shortfalls.length > 0 ? `: ${result.shortfalls.join('; ')}` : '';
  const figures = Object.entries(result.figures ?? {})
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
  return (
    `| \`${result.id}\` | ${cell(samples(result.ours, result.unit))} | ${cell(samples(result.peer, result.unit))} ` +
    `| ${cell(figures)} | ${cell(result.goal)} | ${says}${cell(detail)} |`
  );
}

/** Puts the figures of a group between its marks in bench/README.md; `command` is what they were made by. */
export async function writeTable(results, group, command) {
  const done = results.filter((result) => !result.error);
  const loads = done.flatMap((result) => [result.load.before, result.load.after]);
  const lines = [
    start(group),
    '',
    done.some((result) => result.reduced)
      ? '**Rough**: smaller sizes than the goals are for, on a machine that others used too; only to see that all of it runs.\n'
      : '',
    `\`npm run bench -- ${command}\` on ${done[0]?.at.slice(0, 10)}, ` +
      `${done[0]?.machine}; load of the machine ` +
      `${Math.min(...loads)} to ${Math.max(...loads)} at the ends of the measurements (their own work is in it).`,
    '',
    '| id | Labscale: median (min–max) | peer: median (min–max) | figures | goal | |',
    '| --- | --- | --- | --- | --- | --- |',
    ...results.map(row),
    '',
    stop
  ];
  const text = await readFile(readme, 'utf8');
  const from = text.indexOf(start(group));
  const to = text.indexOf(stop, from);
  if (from === -1 || to === -1) throw new Error('bench/README.md has lost the marks of its table');
  await writeFile(readme, text.slice(0, from) + lines.join('\n') + text.slice(to + stop.length));
}
