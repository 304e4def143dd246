import { sql, type ExpressionBuilder, type Expression, type SqlBool } from 'kysely';
import { parseFilter, type FilterTerm, type FilterValue } from '../metadata/filter.js';
import { occursIn } from '../metadata/search-words.js';
import type { Tables } from '../metadata/tables.js';

type ShardExpression = ExpressionBuilder<Tables, 'shard'>;

/** Fields that every shard has. */
const ownFields: Record<string, 'key' | 'sizeBytes'> = { key: 'key', size: 'sizeBytes' };

/**
 * The condition that a filter puts on the shards of one version: a word occurs in the key; `field=value` compares an entity,
 * a metadata value, `key` or `size` (bytes). A bare number equals by value (`run=1` finds `01`) or by text; anything else
 * by text. `!=` also holds for shards that lack the field. Raises FILTER_INVALID.
 */
export function shardFilter(
  versionId: string,
  filter: string | undefined
): ((is: ShardExpression) => Expression<SqlBool>) | undefined {
  const terms = parseFilter(filter ?? '');
  if (terms.length === 0) return undefined;
  return (is) => is.and(terms.map((term) => condition(is, versionId, term)));
}

function condition(is: ShardExpression, versionId: string, term: FilterTerm): Expression<SqlBool> {
  if (term.kind === 'word') {
    return occursIn(['shard.key'], term.text.toLowerCase());
  }
  const { field, op, values } = term;
  const own = Object.hasOwn(ownFields, field) ? ownFields[field] : undefined;
  if (own !== undefined) {
    const column = is.ref(`shard.${own}`);
    const held = is.or(
      values.map((value) =>
        compare(own === 'key' ? column : null, own === 'key' ? null : column, op === '!=' ? '=' : op, value)
      )
    );
    return op === '!=' ? is.not(held) : held;
  }
  const matching = is
    .selectFrom('shardField')
    .select('shardField.shardIndex')
    .where('shardField.fieldNumber', '=', (named) =>
      named
        .selectFrom('shardFieldName')
        .select('shardFieldName.number')
        .where('shardFieldName.versionId', '=', versionId)
        .where('shardFieldName.name', '=', field)
    )
    .where(
      is.or(
        values.map((value) =>
          compare(sql.ref('shardField.text'), sql.ref('shardField.number'), op === '!=' ? '=' : op, value)
        )
      )
    );
  return is('shard.index', op === '!=' ? 'not in' : 'in', matching);
}

/** `text` or `number` is null where the field has none. */
function compare(
  text: Expression<unknown> | null,
  number: Expression<unknown> | null,
  op: '=' | '>' | '>=' | '<' | '<=',
  value: FilterValue
): Expression<SqlBool> {
  // The operator is one of five words of this file, never a text from outside.
  const by = (column: Expression<unknown>, to: string | number) => sql<SqlBool>`${column} ${sql.raw(op)} ${to}`;
  const byNumber = number !== null && value.number !== null ? by(number, value.number) : undefined;
  const byText = text === null ? undefined : by(text, value.text);
  if (op === '=' && byNumber !== undefined && byText !== undefined) return sql<SqlBool>`(${byText} or ${byNumber})`;
  return byNumber ?? byText ?? sql<SqlBool>`1 = 0`;
}
