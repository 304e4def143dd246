import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { root } from './repository.mjs';

const read = (name) => readFileSync(join(root, name), 'utf8');
const folders = 'schema|server|extension|kernels-helpers|ui-tests|examples|bench|scripts|docs|.ci';

for (const name of ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'docs/tour.md']) {
  test(`${name} names only files that exist`, () => {
    const text = read(name);
    const inCode = [...text.matchAll(new RegExp(`\`((?:${folders})/[^\`\\s:]*)`, 'g'))].map(([, path]) => path);
    const linked = [...text.matchAll(/\[[^\]]*\]\(([^)#:\s]+)\)/g)].map(([, path]) => join(dirname(name), path));
    const named = [...inCode, ...linked].filter((path) => !/[<*{]/.test(path));
    assert.ok(named.length > 3);
    assert.deepEqual(
      named.filter((path) => !existsSync(join(root, path))),
      []
    );
  });
}

test('a derivative can be followed in at most ten files, to the line that creates its manifest', () => {
  const [, walk] = /## Follow a derivative\n([\s\S]*?)\n## /.exec(read('ARCHITECTURE.md'));
  const steps = [...walk.matchAll(/^\d+\. `([^`]+)`/gm)].map(([, path]) => path);
  assert.ok(steps.length > 4 && steps.length + ['README.md', 'ARCHITECTURE.md'].length <= 10);
  for (const path of steps) assert.ok(existsSync(join(root, path)), path);
  assert.match(read('README.md'), /\(ARCHITECTURE\.md\)/);
  for (const [path, line] of [
    [steps.at(-2), 'putIfAbsent(key, manifest)'],
    [steps.at(-1), 'link(part, file)']
  ]) {
    assert.ok(walk.includes(`\`${line}\``) && read(path).includes(line), `${line} in ${path}`);
  }
});

test('every picture is there in light and dark', () => {
  const pictures = readdirSync(join(root, 'docs/screenshots'));
  assert.ok(pictures.length > 50);
  const twin = (name) =>
    name.replace(/-(light|dark)\.png$/, (_, theme) => (theme === 'light' ? '-dark.png' : '-light.png'));
  assert.deepEqual(
    pictures.filter((name) => twin(name) === name || !pictures.includes(twin(name))),
    []
  );
});
