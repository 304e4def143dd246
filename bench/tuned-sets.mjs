import { seededRandom } from './shards.mjs';

const others = ['threshold', 'radius', 'iterations', 'alpha', 'beta', 'gamma', 'method', 'seed', 'normalise'];

/** `count` tuned sets, always the same: ten parameters, of which sigma takes ten values, and one metric, snr. */
export function* tunedSets(count) {
  const random = seededRandom(7);
  for (let index = 0; index < count; index += 1) {
    yield {
      name: `set-${String(index).padStart(6, '0')}`,
      values: {
        sigma: (1 + Math.floor(random() * 10)) / 10,
        threshold: random(),
        radius: 1 + Math.floor(random() * 20),
        iterations: 1 + Math.floor(random() * 100),
        alpha: random(),
        beta: random(),
        gamma: random(),
        method: random() < 0.5 ? 'mean' : 'median',
        seed: Math.floor(random() * 1_000_000),
        normalise: random() < 0.5
      },
      metrics: { snr: 1 + random() * 4 }
    };
  }
}

/** Body of createAnalysis for a notebook with those ten parameters. */
export function tunedAnalysis() {
  const source = ['sigma = 0.5', ...others.map((name) => `${name} = ${initial(name)}`)].join('\n');
  const cell = { cell_type: 'code', execution_count: null, outputs: [] };
  return {
    kind: 'notebook',
    path: 'tuned.ipynb',
    name: 'Tuned',
    notebook: {
      cells: [{ ...cell, id: 'parameters', metadata: { tags: ['parameters'] }, source }],
      metadata: {
        kernelspec: { display_name: 'Python 3', language: 'python', name: 'python3' },
        language_info: { name: 'python' }
      },
      nbformat: 4,
      nbformat_minor: 5
    }
  };
}

function initial(name) {
  if (name === 'method') return "'mean'";
  if (name === 'normalise') return 'True';
  return ['radius', 'iterations', 'seed'].includes(name) ? '1' : '0.5';
}
