import type { ParameterValues } from '@labscale/schema';
import type { Database, Writing } from '../metadata/database.js';
import { RowInsert } from '../metadata/prepared-write.js';
import type { Tables } from '../metadata/tables.js';
import { fieldsOf } from './parameter-fields.js';

type OfSet = Pick<Tables['parameterSet'], 'owner' | 'analysisId' | 'number'>;

/** The values and metrics of the latest version of each set, a row each, by which sets are found and put in order. */
export class ParameterFieldRepository {
  readonly #insertFields: RowInsert<'parameterField'>;

  constructor(database: Database) {
    this.#insertFields = new RowInsert(database, 'parameterField');
  }

  async write(
    writing: Writing,
    { owner, analysisId, number: setNumber }: OfSet,
    { values, metrics }: { values: ParameterValues; metrics: Record<string, number> }
  ): Promise<void> {
    const fields = fieldsOf(values, metrics);
    if (fields.length === 0) return;
    const known = await writing
      .selectFrom('parameterFieldName')
      .select(['number', 'kind', 'name'])
      .where('owner', '=', owner)
      .where('analysisId', '=', analysisId)
      .where(
        'name',
        'in',
        fields.map(({ name }) => name)
      )
      .execute();
    const numbers = new Map(known.map(({ kind, name, number }) => [`${kind}:${name}`, Number(number)]));
    for (const { kind, name } of fields) {
      if (numbers.has(`${kind}:${name}`)) continue;
      const number = await nextNumber(writing, 'parameterFieldName');
      await writing.insertInto('parameterFieldName').values({ number, owner, analysisId, kind, name }).execute();
      numbers.set(`${kind}:${name}`, number);
    }
    const rows = fields.map(({ kind, name, text, number }) => {
      const fieldNumber = numbers.get(`${kind}:${name}`);
      if (fieldNumber === undefined) throw new Error(`the field ${name} has no number`);
      return { setNumber, fieldNumber, text, number };
    });
    await this.#insertFields.run(writing, rows);
  }

  async remove(writing: Writing, { owner, analysisId, number }: OfSet): Promise<void> {
    const names = writing
      .selectFrom('parameterFieldName')
      .select('number')
      .where('owner', '=', owner)
      .where('analysisId', '=', analysisId);
    await writing
      .deleteFrom('parameterField')
      .where('fieldNumber', 'in', names)
      .where('setNumber', '=', number)
      .execute();
  }
}

/** One more than the largest; writers come one after another, so no other takes it before the commit. */
export async function nextNumber(writing: Writing, table: 'parameterSet' | 'parameterFieldName'): Promise<number> {
  const { largest } = await writing
    .selectFrom(table)
    .select(({ fn }) => fn.max('number').as('largest'))
    .executeTakeFirstOrThrow();
  return Number(largest ?? 0) + 1;
}
