/**
 * npm run bench -- ID [--pairs N] [--shards N] ...   one measurement; the last line is one JSON object
 * npm run bench -- all                               all of them; writes the table of bench/README.md
 * npm run bench -- rough                             the same with small sizes, in a few minutes; says so in the table
 * npm run bench -- cluster, or cluster-rough         those that need the test cluster, and their table
 */
import { load, machine } from './machine.mjs';
import { round, summary } from './measure.mjs';
import { say } from './progress.mjs';
import { node } from './repository.mjs';
import { writeTable } from './table.mjs';
import { verdict } from './verdict.mjs';
import { run } from './programs.mjs';

const groups = {
  all: ['p10-papermill', 'p10-joblib', 'p10-dask', 'p10-command', 'p12', 'p7', 'p6', 'p13', 'p8', 'memory'],
  cluster: ['p1', 'p3', 'p4', 'p5', 'papermill-pods', 'p9', 'p11', 'p14']
};
const roughOf = { rough: 'all', 'cluster-rough': 'cluster' };
const ids = Object.values(groups).flat();

async function measureOne(id, given) {
  const bench = await import(`./${id}.mjs`);
  const sizes = { ...bench.sizes };
  for (const [name, text] of Object.entries(given)) {
    if (!(name in sizes)) throw new Error(`${id} has no --${name}; it has --${Object.keys(sizes).join(', --')}`);
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be a whole number of at least 1`);
    sizes[name] = value;
  }
  const before = load();
  const begun = new Date();
  say(`${id}: ${bench.title}; load ${before}`);
  const { ours, peer, control, figures, details, versions } = await bench.measure(sizes);
  const rounded = Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, round(value)]));
  return {
    id,
    title: bench.title,
    unit: bench.unit,
    ...rounded,
    figures: rounded,
    ours: summary(ours),
    peer: peer && summary(peer),
    runs: sizes,
    ...(Object.keys(given).length > 0 && { reduced: true }),
    control: control === null || control === undefined ? null : round(control),
    ...verdict(figures, bench.goals, control),
    ...details,
    load: { before, after: load() },
    versions: { node: (await run(node, ['--version'])).trim(), ...versions },
    machine: machine(),
    at: begun.toISOString(),
    seconds: Math.round((Date.now() - begun.getTime()) / 1_000)
  };
}

async function measureAll(name) {
  const group = roughOf[name] ?? name;
  const rough = group !== name;
  const results = [];
  for (const id of groups[group]) {
    // A process each: nothing that one measurement leaves in memory slows the next.
    const given = rough ? Object.entries((await import(`./${id}.mjs`)).roughSizes) : [];
    const sizes = given.flatMap(([name, size]) => [`--${name}`, String(size)]);
    const output = await run(process.execPath, [import.meta.filename, id, ...sizes], { loud: true }).catch((error) => {
      say(`${id} did not end: ${error.message}`);
      return JSON.stringify({ id, error: error.message.slice(-500) });
    });
    results.push(JSON.parse(output.trimEnd().split('\n').at(-1)));
    await writeTable(results, group, name);
  }
  return { id: name, pass: results.every((result) => result.pass === true), results };
}

function options(args) {
  const given = {};
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i].match(/^--([a-z]+)$/)?.[1];
    if (!name || args[i + 1] === undefined) throw new Error(`${args[i]}: options are written --name NUMBER`);
    given[name] = args[i + 1];
  }
  return given;
}

const [id, ...rest] = process.argv.slice(2);
const together = [...Object.keys(groups), ...Object.keys(roughOf)];
if (![...together, ...ids].includes(id)) {
  process.stderr.write(`usage: npm run bench -- ID\nID is one of ${ids.join(', ')}, or ${together.join(', or ')}\n`);
  process.exit(2);
}
try {
  const result = together.includes(id) ? await measureAll(id) : await measureOne(id, options(rest));
  process.stdout.write(`${JSON.stringify(result)}\n`);
} catch (error) {
  process.stderr.write(`${id} failed: ${error.stack}\n`);
  process.exit(1);
}
