import { ConfigError, readConfig } from '../src/config.js';
import { readImageReference } from '../src/images/image-reference.js';
import { ProblemError } from '../src/problem-error.js';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

test.each([
  ['registry.example/tool:1.0', 'registry.example', 'tool', '1.0', null],
  ['registry.example:5000/lab/a-b__c.d/tool:V_1', 'registry.example:5000', 'lab/a-b__c.d/tool', 'V_1', null],
  [`localhost/tool@${digest}`, 'localhost', 'tool', null, digest],
  [`10.0.0.1:80/tool:1@${digest}`, '10.0.0.1:80', 'tool', '1', digest],
  ['[2001:db8::1]:5000/tool:1', '[2001:db8::1]:5000', 'tool', '1', null],
  ['registry:5000/tool:1', 'registry:5000', 'tool', '1', null]
])('%s is read', (text, registry, repository, tag, ofDigest) => {
  expect(readImageReference(text)).toEqual({ registry, repository, tag, digest: ofDigest });
});

test.each([
  // A registry is always named: what a bare name stands for differs between machines.
  'tool:1',
  'lab/tool:1',
  '/tool:1',
  '',
  'http://registry.example/tool:1',
  'user@registry.example/tool:1',
  'registry.example:99999/tool:1',
  'registry.example:0/tool:1',
  'registry.example:/tool:1',
  'Registry.example/tool:1',
  '-registry.example/tool:1',
  'registry.example./tool:1',
  // No tag, no digest: nobody would know which.
  'registry.example/tool',
  'registry.example/tool:',
  'registry.example/tool:1:2',
  'registry.example/tool:-1',
  'registry.example/tool:$(id)',
  `registry.example/tool:${'1'.repeat(129)}`,
  'registry.example/Tool:1',
  'registry.example/../tool:1',
  'registry.example//tool:1',
  'registry.example/tool/:1',
  'registry.example/to ol:1',
  'registry.example/tool\n:1',
  'registry.example/tool:1\n',
  'registry.example/tool:1?x',
  'registry.example/tool:1#x',
  `registry.example/${'a'.repeat(256)}:1`,
  'registry.example/tool@sha256:00',
  `registry.example/tool@sha512:${'0'.repeat(128)}`,
  `registry.example/tool@${digest.toUpperCase()}`,
  `registry.example/tool@${digest}@${digest}`
])('%j is refused, with the field and the mend', (text) => {
  const read = () => readImageReference(text);
  expect(read).toThrow(ProblemError);
  expect(read).toThrow(
    expect.objectContaining({
      code: 'IMAGE_INVALID',
      more: { field: 'body/image', mend: expect.any(String) as string }
    })
  );
});

test('the registries that may be asked are listed in the environment', () => {
  const read = (text?: string) =>
    readConfig({ LABSCALE_HELPERS: '/helpers', ...(text === undefined ? {} : { LABSCALE_REGISTRIES: text }) })
      .registries;
  expect(read()).toEqual([]);
  expect(read(' registry.example, http://10.0.0.1:5000,')).toEqual([
    { registry: 'registry.example', plain: false },
    { registry: '10.0.0.1:5000', plain: true }
  ]);
  for (const wrong of ['https://registry.example', 'registry.example/lab', '*', 'registry', 'a.example;b.example']) {
    expect(() => read(wrong)).toThrow(ConfigError);
    expect(() => read(wrong)).toThrow(`LABSCALE_REGISTRIES has "${wrong}"`);
  }
});
