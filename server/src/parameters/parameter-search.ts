import { sql, type RawBuilder, type SelectQueryBuilder, type SqlBool } from 'kysely';
import type { Database } from '../metadata/database.js';
import type { FilterOp, FilterTerm, FilterValue } from '../metadata/filter.js';
import { containing } from '../metadata/search-words.js';
import type { Tables } from '../metadata/tables.js';
import { ProblemError } from '../problem-error.js';
import { searchedCharacters } from './parameter-fields.js';

export type Direction = 'asc' | 'desc';
export type Order =
  | { by: 'created' | 'name'; direction: Direction }
  | { by: 'field'; kind: 'parameter' | 'metric'; name: string; direction: Direction };

/**
 * The place of a set in the order. Sets ordered by a field come in three parts: 0 those whose value is a number, 1 those
 * where it is anything else, by its text, and last 2 those without it, newest first.
 */
export interface Place {
  part: 0 | 1 | 2;
  key: string | number | null;
  setNumber: number;
}

export interface Search {
  owner: string;
  analysisId: string | undefined;
  /** In lower case; all must occur in name, note or tags. */
  words: readonly string[];
  comparisons: readonly (FilterTerm & { kind: 'comparison' })[];
  order: Order;
  after: Place | undefined;
  limit: number;
}

/** A comparison by the numbers of the fields of its name. */
interface Condition {
  fields: number[];
  /** Both a parameter and a metric have that name, so that one set may match twice. */
  twice: boolean;
  op: FilterOp;
  values: FilterValue[];
}

/** A query for set numbers, from whichever table. */
type SetNumbers = SelectQueryBuilder<Tables, never, { setNumber: number }>;

/** How far the matches of one condition are counted to find the most selective. */
const countedMatches = 20_000;

/**
 * Search over the sets of an owner by values, metrics and words, in any order, with an exact total. What it costs follows
 * from the most selective condition, not from the number of sets. `!=` also holds for sets that lack the field.
 */
export class ParameterSearch {
  /**
   * Up to `fewMatches` all matches are fetched and put in order here; more are dense enough to walk an index of the order.
   */
  constructor(
    private readonly database: Database,
    private readonly fewMatches = 2_000
  ) {}

  /** Places of the sets of a page, and how many match. Raises FILTER_INVALID for a text longer than what is searched. */
  async find(search: Search): Promise<{ places: Place[]; total: number }> {
    const conditions = await this.#conditions(search);
    if (conditions === undefined) return { places: [], total: 0 };
    const order = await this.#orderFields(search);
    if (conditions.length > 0 || search.words.length > 0) {
      const few = await this.#few(search, conditions, order);
      if (few !== undefined) return { places: pageOf(few, search), total: few.length };
    }
    const { total } = await this.database
      .selectFrom(this.#matches(search, conditions).as('matching'))
      .select(({ fn }) => fn.countAll<number>().as('total'))
      .executeTakeFirstOrThrow();
    return { places: await this.#walk(search, conditions, order), total: Number(total) };
  }

  /** The most selective first; undefined where nothing can match, as no set has a field of that name. */
  async #conditions(search: Search): Promise<Condition[] | undefined> {
    const conditions: { condition: Condition; count: number }[] = [];
    for (const { field, op, values } of search.comparisons) {
      const long = values.find(({ text }) => text.length >= searchedCharacters);
      if (long !== undefined) {
        throw new ProblemError('FILTER_INVALID', `"${long.text.slice(0, 40)}..." is too long to be searched for.`, {
          field: 'filter',
          mend: `Use at most ${searchedCharacters - 1} characters.`
        });
      }
      const [, kind, name = field] = /^(parameter|metric):(.+)$/s.exec(field) ?? [];
      const rows = await this.#fieldNames(search, name, kind);
      if (rows.length === 0 && op === '!=') continue;
      if (rows.length === 0) return undefined;
      const twice = new Set(rows.map((row) => row.kind)).size > 1;
      const condition = { fields: rows.map(({ number }) => Number(number)), twice, op, values };
      conditions.push({ condition, count: op === '!=' ? Infinity : 0 });
    }
    const positive = conditions.filter(({ count }) => count === 0);
    if (positive.length > 1) {
      for (const each of positive) {
        const { count } = await this.database
          .selectFrom(this.#of(each.condition).limit(countedMatches).as('matching'))
          .select(({ fn }) => fn.countAll<number>().as('count'))
          .executeTakeFirstOrThrow();
        each.count = Number(count);
      }
    }
    return conditions.sort((a, b) => a.count - b.count).map(({ condition }) => condition);
  }

  async #orderFields({ order, ...search }: Search): Promise<number[]> {
    if (order.by !== 'field') return [];
    const rows = await this.#fieldNames(search, order.name, order.kind);
    return rows.map(({ number }) => Number(number));
  }

  async #fieldNames(search: Pick<Search, 'owner' | 'analysisId'>, name: string, kind: string | undefined) {
    const { owner, analysisId } = search;
    let query = this.database
      .selectFrom('parameterFieldName')
      .select(['number', 'kind'])
      .where('owner', '=', owner)
      .where('name', '=', name);
    if (kind !== undefined) query = query.where('kind', '=', kind as 'parameter' | 'metric');
    if (analysisId !== undefined) query = query.where('analysisId', '=', analysisId);
    return query.execute();
  }

  /** All matches with what they are ordered by; undefined where they are many. */
  async #few(
    { order, ...search }: Search,
    conditions: readonly Condition[],
    fields: readonly number[]
  ): Promise<Place[] | undefined> {
    const matching = this.#matches(search, conditions);
    const numbers = await matching.limit(this.fewMatches + 1).execute();
    if (numbers.length > this.fewMatches) return undefined;
    // Only now with what they are ordered by: where they are many, it would be read for nothing.
    if (order.by === 'field' && fields.length > 0) {
      const rows = await this.database
        .selectFrom(matching.as('matching'))
        .leftJoin('parameterField as field', (join) =>
          join.onRef('field.setNumber', '=', 'matching.setNumber').on('field.fieldNumber', 'in', fields)
        )
        .select(['matching.setNumber', 'field.number', 'field.text'])
        .execute();
      return rows.map(({ setNumber, number, text }) => {
        const part = number !== null ? 0 : text !== null ? 1 : 2;
        return { part, key: number ?? text, setNumber: Number(setNumber) };
      });
    }
    if (order.by === 'name') {
      const rows = await this.database
        .selectFrom(matching.as('matching'))
        .innerJoin('parameterSet as set', 'set.number', 'matching.setNumber')
        .select(['matching.setNumber', 'set.name'])
        .execute();
      return rows.map(({ setNumber, name }) => ({ part: 0, key: name, setNumber: Number(setNumber) }));
    }
    const part = order.by === 'field' ? 2 : 0;
    return numbers.map(({ setNumber }) => ({ part, key: null, setNumber: Number(setNumber) }));
  }

  /** A page in order, read from an index of the order. */
  async #walk(search: Search, conditions: readonly Condition[], fields: readonly number[]): Promise<Place[]> {
    const { order, after, limit } = search;
    if (order.by !== 'field') return this.#walkSets(search, conditions, order.by);
    const places: Place[] = [];
    for (const part of order.kind === 'metric' ? ([0, 2] as const) : ([0, 1, 2] as const)) {
      const page = { ...search, after: after?.part === part ? after : undefined, limit: limit - places.length };
      if (page.limit <= 0 || (after !== undefined && after.part > part)) continue;
      if (part === 2) places.push(...(await this.#walkMissing(page, conditions, fields)));
      else if (fields.length > 0) places.push(...(await this.#walkField(page, conditions, fields, part)));
    }
    return places;
  }

  async #walkSets(search: Search, conditions: readonly Condition[], by: 'created' | 'name'): Promise<Place[]> {
    const { order, after, limit } = search;
    let query = this.#sets(search, conditions).select(['set.number', 'set.name']).limit(limit);
    if (by === 'name') {
      if (after !== undefined) query = query.where(isBeyond('set.name', 'set.number', order.direction, after));
      query = query.orderBy('set.name', order.direction);
    } else if (after !== undefined) {
      query = query.where('set.number', order.direction === 'asc' ? '>' : '<', after.setNumber);
    }
    const rows = await query.orderBy('set.number', order.direction).execute();
    return rows.map(({ number, name }) => ({ part: 0, key: by === 'name' ? name : null, setNumber: Number(number) }));
  }

  async #walkField(
    search: Search,
    conditions: readonly Condition[],
    fields: readonly number[],
    part: 0 | 1
  ): Promise<Place[]> {
    const { order, after, words, limit } = search;
    const column = part === 0 ? 'field.number' : 'field.text';
    let query = this.database
      .selectFrom('parameterField as field')
      .select(['field.setNumber', `${column} as key`])
      .where('field.fieldNumber', 'in', fields)
      .where('field.number', part === 0 ? 'is not' : 'is', null)
      .limit(limit);
    for (const condition of conditions) {
      // A range over the very field that is walked bounds the walk; any other is looked up for each set.
      const own = condition.op !== '!=' && condition.fields.join() === fields.join();
      query = query.where(own ? valueIs('field', condition) : holds('field.setNumber', condition));
    }
    if (words.length > 0) query = query.where(isNamed('field.setNumber', words));
    if (after !== undefined) query = query.where(isBeyond(column, 'field.setNumber', order.direction, after));
    const rows = await query.orderBy(column, order.direction).orderBy('field.setNumber', order.direction).execute();
    return rows.map(({ setNumber, key }) => ({ part, key, setNumber: Number(setNumber) }));
  }

  async #walkMissing(search: Search, conditions: readonly Condition[], fields: readonly number[]): Promise<Place[]> {
    let query = this.#sets(search, conditions).select('set.number').limit(search.limit);
    if (fields.length > 0) query = query.where(sql<SqlBool>`not ${hasField('set.number', fields, sql`1 = 1`)}`);
    if (search.after !== undefined) query = query.where('set.number', '<', search.after.setNumber);
    const rows = await query.orderBy('set.number', 'desc').execute();
    return rows.map(({ number }) => ({ part: 2, key: null, setNumber: Number(number) }));
  }

  /** `setNumber` of all that match, found by the first condition and looked up for the others. */
  #matches(search: Omit<Search, 'order'>, conditions: readonly Condition[]): SetNumbers {
    const [first, ...others] = conditions;
    if (first === undefined || first.op === '!=') {
      return this.#sets(search, conditions).select('set.number as setNumber') as unknown as SetNumbers;
    }
    let query = this.#of(first);
    if (first.twice) query = query.distinct();
    for (const condition of others) query = query.where(holds('field.setNumber', condition));
    if (search.words.length > 0) query = query.where(isNamed('field.setNumber', search.words));
    return query as unknown as SetNumbers;
  }

  #of(condition: Condition) {
    return this.database
      .selectFrom('parameterField as field')
      .select('field.setNumber')
      .where('field.fieldNumber', 'in', condition.fields)
      .where(valueIs('field', condition));
  }

  #sets({ owner, analysisId, words }: Omit<Search, 'order'>, conditions: readonly Condition[]) {
    let query = this.database.selectFrom('parameterSet as set').where('set.owner', '=', owner);
    if (analysisId !== undefined) query = query.where('set.analysisId', '=', analysisId);
    for (const word of words) query = query.where(hasWord('set', word));
    for (const condition of conditions) query = query.where(holds('set.number', condition));
    return query;
  }
}

/** Whether the set of that number has what the condition asks for. */
function holds(setNumber: string, condition: Condition): RawBuilder<SqlBool> {
  const has = hasField(setNumber, condition.fields, valueIs('other', condition));
  return condition.op === '!=' ? sql`not ${has}` : has;
}

function hasField(setNumber: string, fields: readonly number[], value: RawBuilder<SqlBool>): RawBuilder<SqlBool> {
  return sql`exists (select 1 from ${sql.table('parameterField')} as ${sql.id('other')}
    where ${sql.ref('other.setNumber')} = ${sql.ref(setNumber)}
    and ${sql.ref('other.fieldNumber')} in (${sql.join([...fields])}) and ${value})`;
}

/** The value that a condition asks for; of `!=` the one that must not be there. */
function valueIs(row: 'field' | 'other', { op, values }: Condition): RawBuilder<SqlBool> {
  const text = sql.ref(`${row}.text`);
  if (op === '=' || op === '!=') {
    // As text in both cases, so that one index serves: a number is kept as JSON prints it, and 0.50 is looked for as 0.5.
    const texts = values.flatMap((value) =>
      value.number === null ? [value.text] : [value.text, String(value.number)]
    );
    return sql`${text} in (${sql.join([...new Set(texts)])})`;
  }
  const [value] = values;
  if (value === undefined) throw new Error(`a comparison by ${op} has no value`);
  const number = sql.ref(`${row}.number`);
  // The operator is one of four words of metadata/filter.ts, never a text from outside.
  return value.number === null
    ? sql`(${number} is null and ${text} ${sql.raw(op)} ${value.text})`
    : sql`${number} ${sql.raw(op)} ${value.number}`;
}

function isBeyond(key: string, setNumber: string, direction: Direction, after: Place): RawBuilder<SqlBool> {
  const beyond = sql.raw(direction === 'asc' ? '>' : '<');
  return sql`(${sql.ref(key)}, ${sql.ref(setNumber)}) ${beyond} (${after.key}, ${after.setNumber})`;
}

function isNamed(setNumber: string, words: readonly string[]): RawBuilder<SqlBool> {
  const all = words.map((word) => hasWord('named', word));
  return sql`exists (select 1 from ${sql.table('parameterSet')} as ${sql.id('named')}
    where ${sql.ref('named.number')} = ${sql.ref(setNumber)} and ${sql.join(all, sql` and `)})`;
}

function hasWord(table: string, word: string): RawBuilder<SqlBool> {
  return sql`${sql.ref(`${table}.searchText`)} like ${containing(word)} escape '\\'`;
}

function pageOf(places: readonly Place[], { order, after, limit }: Search): Place[] {
  const sign = order.direction === 'asc' ? 1 : -1;
  const compare = (a: Place, b: Place): number => {
    if (a.part !== b.part) return a.part - b.part;
    if (a.part === 2) return b.setNumber - a.setNumber;
    if (a.key !== b.key) return (a.key ?? 0) < (b.key ?? 0) ? -sign : sign;
    return (a.setNumber - b.setNumber) * sign;
  };
  return places
    .filter((place) => after === undefined || compare(place, after) > 0)
    .sort(compare)
    .slice(0, limit);
}
