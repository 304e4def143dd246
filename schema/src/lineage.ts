import { Type, type Static } from 'typebox';
import { noun, nullable, strict } from './noun.js';
import { Id, Name, Time } from './primitives.js';

export const lineageNouns = ['dataset-version', 'snippet', 'analysis-version', 'parameter-set-version', 'run'] as const;
export const Lineage = noun(
  'Lineage',
  'What something was made from and what was made from it.',
  strict({
    focus: Id,
    nodes: Type.Array(
      strict({
        id: Id,
        noun: Type.Enum(lineageNouns),
        parentId: nullable(Id),
        name: Name,
        number: nullable(Type.Integer({ minimum: 1 })),
        createdAt: Time,
        superseded: Type.Boolean({ description: 'True where a newer version exists.' })
      })
    ),
    edges: Type.Array(
      strict({
        from: Id,
        to: Id,
        relation: Type.Enum([
          'cut-from',
          'tuned-on',
          'values-for',
          'input',
          'analysis',
          'parameters',
          'made',
          'forked-from',
          'previous-version'
        ] as const)
      }),
      { description: 'Each leads from what was there first (`from`) to what was made of it (`to`).' }
    )
  })
);
export type Lineage = Static<typeof Lineage>;
