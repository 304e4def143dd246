import { Type } from 'typebox';

export const Id = Type.String({ pattern: '^[a-z]{2,3}-[0-9a-hjkmnp-tv-z]{20}$', maxLength: 24 });
export const Digest = Type.String({ pattern: '^sha256:[0-9a-f]{64}$', description: 'Algorithm and hex digest.' });
export const Time = Type.String({ format: 'date-time', description: 'UTC, ISO 8601 with milliseconds.' });
export const Name = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\u0000-\\u001f\\u007f]*\\S[^\\u0000-\\u001f\\u007f]*$'
});
export const Text = Type.String({ maxLength: 20_000 });
export const Tags = Type.Array(Type.String({ minLength: 1, maxLength: 80 }), { maxItems: 50, uniqueItems: true });
export const UserName = Type.String({ minLength: 1, maxLength: 200 });
export const SizeBytes = Type.Integer({ minimum: 0 });
export const ShardKey = Type.String({
  minLength: 1,
  maxLength: 1024,
  description: 'Unique in a dataset version; `/`-separated, never starts with `/`, has no empty or dot segment.'
});
export const Filter = Type.String({
  maxLength: 2_000,
  description:
    'Terms separated by spaces, all of which must hold: a word (substring of the key or name), or FIELD OP VALUE with OP one of = != > >= < <= and VALUE bare or in double quotes; `field=a,b` is any of.'
});
/** Any JSON value; values of parameters are the scientist\'s own and are never converted. */
export const Json = Type.Unsafe<JsonValue>({});
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };
export const Scalar = Type.Union([Type.String({ maxLength: 4_000 }), Type.Number(), Type.Boolean()]);
export const Entities = Type.Record(Type.String(), Type.String(), {
  description: 'Name of the entity to its label, as `{"sub": "01"}`.'
});
export const Metrics = Type.Record(Type.String(), Type.Number(), { description: 'Finite numbers by name.' });
