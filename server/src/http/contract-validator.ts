import { Ajv, type Options, type ValidateFunction } from 'ajv';
import { components } from '@labscale/schema';
import type { FastifySchemaCompiler } from 'fastify';

/**
 * Checks what comes in against the contract. Bodies are never coerced or trimmed: "4" stays a mistake and an unknown field
 * is named. Path and query are text by nature. A schema is compiled when it is first asked for: all of them at start would
 * take 15 MiB that most servers never need.
 */
export function contractValidator(): FastifySchemaCompiler<unknown> {
  const options: Options = { allErrors: true, removeAdditional: false, strict: false, validateFormats: false };
  let body: Ajv | undefined;
  let text: Ajv | undefined;
  return ({ schema, httpPart }) => {
    const compile = () =>
      httpPart === 'body'
        ? (body ??= withComponents({ ...options, coerceTypes: false, useDefaults: false })).compile(schema as object)
        : (text ??= withComponents({ ...options, coerceTypes: true, useDefaults: true })).compile(schema as object);
    let validate: ValidateFunction | undefined;
    const check = (data: unknown): boolean => {
      validate ??= compile();
      const fits = validate(data) as boolean;
      Object.assign(check, { errors: validate.errors });
      return fits;
    };
    return check as ReturnType<FastifySchemaCompiler<unknown>>;
  };
}

function withComponents(options: Options): Ajv {
  const ajv = new Ajv(options);
  for (const schema of Object.values(components)) ajv.addSchema(schema);
  return ajv;
}
