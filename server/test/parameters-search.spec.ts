import type { Operations, ParameterSet } from '@labscale/schema';
import { parseFilter } from '../src/metadata/filter.js';
import { ParameterRepository } from '../src/parameters/parameter-repository.js';
import { ParameterSearch, type Order, type Place } from '../src/parameters/parameter-search.js';
import { notebookOf } from './notebooks.js';
import { startTestServer, type TestServer } from './test-server.js';

let server: TestServer;
let sets: ParameterSet[];

/** Each set is a durable commit, which a busy disk may take long over. */
const slowly = 120_000;

let seed = 20261121;
const chance = () => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
const pick = <T>(from: readonly T[]): T => from[Math.floor(chance() * from.length)]!;

/** Sets of two analyses: few distinct values, so that orders have ties; one metric is named as a parameter is. */
beforeAll(async () => {
  server = await startTestServer();
  const made: string[] = [];
  for (const path of ['a.ipynb', 'b.ipynb']) {
    const notebook = notebookOf('sigma = 2.0\nany = f()\nsnr = 1');
    const { latestVersion } = await server.call('createAnalysis', { body: { kind: 'notebook', path, notebook } });
    for (let n = 0; n < 60; n++) {
      const metrics = {
        ...(chance() < 0.7 ? { snr: Math.floor(chance() * 6) } : {}),
        ...(chance() < 0.5 ? { loss: Math.floor(chance() * 40) / 10 } : {})
      };
      const values = {
        sigma: pick([0.5, 1, 1.5, 2]),
        any: pick<never>([1, 0.5, '0.5', '01', 'text', 'Text', true, null, [1, 2], { b: 1, a: [] }] as never[]),
        snr: Math.floor(chance() * 6)
      };
      const { id } = await server.call('createParameterSet', {
        body: {
          name: `${pick(['red', 'green', 'blue'])} ${n % 7} ${n}`,
          analysisVersionId: latestVersion.id,
          values,
          metrics,
          note: pick(['', '100%', 'a_b', 'Ünd']),
          tags: chance() < 0.3 ? ['good'] : []
        }
      });
      made.push(id);
    }
  }
  // Numbers and names of fields stay right when sets go and get new versions.
  for (let n = 0; n < 10; n++) {
    await server.call('deleteParameterSet', {
      params: { parameterSetId: made.splice(Math.floor(chance() * made.length), 1)[0]! }
    });
    const id = pick(made);
    const { latestVersion } = await server.call('getParameterSet', { params: { parameterSetId: id } });
    await server.call('createParameterSetVersion', {
      params: { parameterSetId: id },
      body: { analysisVersionId: latestVersion.analysisVersionId, values: { any: 'new' }, metrics: { loss: n } }
    });
  }
  sets = await Promise.all(made.map((id) => server.call('getParameterSet', { params: { parameterSetId: id } })));
}, slowly);
afterAll(() => server.close());

type Query = Operations['listParameterSets']['query'];

/** The same search the plain way, over all sets in the order in which they were made. */
function expected({ analysisId, search = '', filter = '', orderBy = 'created' }: Query): string[] {
  const number = (set: ParameterSet) => sets.indexOf(set);
  const textOf = (value: unknown) => (typeof value === 'string' ? value : canonical(value));
  const has = (set: ParameterSet, name: string, holds: (value: unknown) => boolean) => {
    const [, kind, bare = name] = /^(parameter|metric):(.+)$/.exec(name) ?? [];
    const { values, metrics } = set.latestVersion;
    return (
      (kind !== 'metric' && Object.hasOwn(values, bare) && holds(values[bare])) ||
      (kind !== 'parameter' && Object.hasOwn(metrics, bare) && holds(metrics[bare]))
    );
  };
  const words = search.toLowerCase().split(/\s+/);
  const matching = sets.filter((set) => {
    const text = [set.name, set.note, ...set.tags].join('\n').toLowerCase();
    if (analysisId !== undefined && set.analysisId !== analysisId) return false;
    if (!words.every((word) => text.includes(word))) return false;
    return parseFilter(filter).every((term) => {
      if (term.kind === 'word') return text.includes(term.text.toLowerCase());
      const equal = (value: unknown) =>
        term.values.some(
          ({ text, number }) => textOf(value) === text || (number !== null && textOf(value) === String(number))
        );
      if (term.op === '=') return has(set, term.field, equal);
      if (term.op === '!=') return !has(set, term.field, equal);
      const given = term.values[0]!;
      return has(set, term.field, (value) => {
        if ((typeof value === 'number') !== (given.number !== null)) return false;
        const [a, b] = given.number === null ? [textOf(value), given.text] : [value as number, given.number];
        return term.op === '>' ? a > b : term.op === '>=' ? a >= b : term.op === '<' ? a < b : a <= b;
      });
    });
  });
  const [by, ...rest] = orderBy.split(':');
  const name = by === 'metric' || by === 'parameter' ? rest.shift()! : '';
  const sign = (rest[0] ?? (by === 'created' || by === 'metric' ? 'desc' : 'asc')) === 'asc' ? 1 : -1;
  const key = (set: ParameterSet): [number, string | number] => {
    if (by === 'created') return [0, 0];
    if (by === 'name') return [0, set.name];
    const from: Record<string, unknown> = by === 'metric' ? set.latestVersion.metrics : set.latestVersion.values;
    if (!Object.hasOwn(from, name)) return [2, 0];
    const value = from[name];
    return typeof value === 'number' ? [0, value] : [1, textOf(value)];
  };
  return matching
    .sort((one, other) => {
      const [[part, a], [otherPart, b]] = [key(one), key(other)];
      if (part !== otherPart) return part - otherPart;
      if (part === 2) return number(other) - number(one);
      if (a !== b) return a < b ? -sign : sign;
      return (number(one) - number(other)) * sign;
    })
    .map(({ id }) => id);
}

function canonical(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const parts = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${parts.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}

async function found(query: Query): Promise<{ ids: string[]; totals: Set<number> }> {
  const ids: string[] = [];
  const totals = new Set<number>();
  let cursor: string | undefined;
  do {
    const page = await server.call('listParameterSets', {
      query: { ...query, ...(cursor === undefined ? {} : { cursor }) } as never
    });
    ids.push(...page.items.map(({ id }) => id));
    totals.add(page.total);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return { ids, totals };
}

const filters = [
  '',
  'sigma=0.5',
  'sigma=0.50 snr>3',
  'snr>3',
  'metric:snr>3',
  'parameter:snr<=2 sigma!=1',
  'snr>=2 snr<5 loss<2',
  'sigma=0.5,1 any=0.5',
  'any="0.5"',
  'any=01',
  'any=true',
  'any=null',
  'any="[1,2]"',
  'any>Text',
  'any<1',
  'sigma!=0.5',
  'loss!=1 metric:snr!=3',
  'nothing=1',
  'nothing!=1 sigma=2',
  'red',
  '100% sigma>0.5',
  'a_b',
  'ünd loss>0',
  'good any!=text'
];
const orders = [
  'created',
  'created:asc',
  'name',
  'name:desc',
  'metric:snr',
  'metric:loss:asc',
  'metric:none',
  'parameter:any',
  'parameter:any:desc',
  'parameter:sigma'
];

test(
  'every filter in every order gives what a plain search gives, over all pages',
  async () => {
    const analysisId = sets[0]!.analysisId;
    for (const filter of filters) {
      for (const orderBy of orders) {
        const query: Query = { filter, orderBy, limit: pick([7, 50]), ...(chance() < 0.3 ? { analysisId } : {}) };
        const ids = expected(query);
        expect({ query, ...(await found(query)) }).toEqual({ query, ids, totals: new Set([ids.length]) });
      }
    }
    expect(await found({ search: 'GOOD  red', limit: 5 })).toMatchObject({ ids: expected({ search: 'GOOD  red' }) });
  },
  slowly
);

test(
  'walking an index of the order gives the same as putting the matches in order',
  async () => {
    const { database } = server.metadata;
    const repository = new ParameterRepository(database);
    const walk = new ParameterSearch(database, -1);
    for (const filter of filters) {
      for (const orderBy of orders) {
        const [by = '', ...rest] = orderBy.split(':');
        const name = by === 'metric' || by === 'parameter' ? rest.shift() : undefined;
        const direction = rest[0] ?? (by === 'created' || by === 'metric' ? 'desc' : 'asc');
        const order = (name === undefined ? { by, direction } : { by: 'field', kind: by, name, direction }) as Order;
        const terms = parseFilter(filter);
        const ids: string[] = [];
        let after: Place | undefined;
        for (;;) {
          const { places } = await walk.find({
            owner: 'ana',
            analysisId: undefined,
            words: terms.flatMap((term) => (term.kind === 'word' ? [term.text.toLowerCase()] : [])),
            comparisons: terms.filter((term) => term.kind === 'comparison'),
            order,
            after,
            limit: 9
          });
          if (places.length === 0) break;
          const { sets: page } = await repository.findByNumbers(places.map(({ setNumber }) => setNumber));
          ids.push(...page.map(({ id }) => id));
          after = places.at(-1);
        }
        expect({ filter, orderBy, ids }).toEqual({ filter, orderBy, ids: expected({ filter, orderBy }) });
      }
    }
  },
  slowly
);

test.each([
  [{ filter: 'sigma >3' }, 'FILTER_INVALID'],
  [{ filter: `any=${'x'.repeat(400)}` }, 'FILTER_INVALID'],
  [{ orderBy: 'metric' }, 'REQUEST_INVALID'],
  [{ orderBy: 'size' }, 'REQUEST_INVALID'],
  [{ limit: 0 }, 'REQUEST_INVALID'],
  [{ cursor: 'e30' }, 'CURSOR_INVALID'],
  [{ analysisId: 'x' }, 'REQUEST_INVALID']
])('%j is refused', async (query, code) => {
  expect((await server.problem('listParameterSets', { query: query as never })).code).toBe(code);
});

test('a cursor of another order is refused', async () => {
  const { nextCursor } = await server.call('listParameterSets', { query: { limit: 1 } });
  const query = { orderBy: 'name', cursor: nextCursor! };
  expect((await server.problem('listParameterSets', { query })).code).toBe('CURSOR_INVALID');
});

test(
  'a page of very large sets ends early and goes on',
  async () => {
    const notebook = notebookOf("a = ''\nb = ''");
    const body = { kind: 'notebook', path: 'large.ipynb', notebook };
    const { id, latestVersion } = await server.call('createAnalysis', { body });
    const large = 'x'.repeat(1_000_000);
    for (let n = 0; n < 8; n++) {
      await server.call('createParameterSet', {
        body: { name: `large ${n}`, analysisVersionId: latestVersion.id, values: { a: large, b: large } }
      });
    }
    const first = await server.call('listParameterSets', { query: { analysisId: id } });
    expect(first.items.length).toBeLessThan(8);
    expect(first.total).toBe(8);
    expect((await found({ analysisId: id })).ids).toHaveLength(8);
  },
  slowly
);
