import { Type, type Static, type TSchema } from 'typebox';

/** Marks a schema as a named component: it lands under its `$id` in OpenAPI and JSON Schema. */
export function noun<T extends TSchema>(id: string, description: string, schema: T): T {
  // Object.assign and not a spread: TypeBox keeps its kind in hidden properties, which a spread loses.
  return Object.assign(schema, { $id: id, description });
}

/** A typed reference to a named component, so that OpenAPI shows one definition and not copies. */
export function ref<T extends TSchema>(schema: T) {
  const id = (schema as { $id?: string }).$id;
  if (id === undefined) throw new Error('only a schema made by noun() can be referred to');
  return Type.Unsafe<Static<T>>({ $ref: `${id}#` });
}

/** An object that refuses fields it does not know; every body and noun is made with it. */
export function strict<P extends Record<string, TSchema>>(properties: P, options: Record<string, unknown> = {}) {
  return Type.Object(properties, { additionalProperties: false, ...options });
}

export function nullable<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()]);
}

/** Item lists are paged by an opaque cursor, never by offset. */
export function page<T extends TSchema>(item: T) {
  return strict({
    items: Type.Array(item),
    nextCursor: nullable(Type.String({ description: 'Pass as `cursor` for the next page; null on the last.' })),
    total: Type.Integer({ minimum: 0, description: 'Matches of the same filter, over all pages.' })
  });
}
