import type { User } from '../http/identify.js';
import { ProblemError, notFound } from '../problem-error.js';
import type { Database } from './database.js';
import { prefixOf, tableOfPrefix } from './ids.js';

export type Right = 'view' | 'use' | 'edit';

/** Who may do what to a thing. Today its owner may do everything; sharing adds rows here, and nothing elsewhere changes. */
export class Access {
  constructor(private readonly database: Database) {}

  /** Raises NOT_FOUND where the thing does not exist or is not the user's to see, FORBIDDEN where they may only see it. */
  async require(user: User, right: Right, id: string): Promise<void> {
    const prefix = prefixOf(id);
    if (prefix === undefined) throw notFound(id);
    const row = await this.database
      .selectFrom(tableOfPrefix[prefix])
      .select('owner')
      .where('id', '=', id)
      .executeTakeFirst();
    if (row === undefined) throw notFound(id);
    const held = rightsOf(user, row.owner);
    if (!held.includes('view')) throw notFound(id);
    if (!held.includes(right)) throw new ProblemError('FORBIDDEN', `You may see ${id}, but not ${right} it.`);
  }
}

function rightsOf(user: User, owner: string): readonly Right[] {
  return user.name === owner ? ['view', 'use', 'edit'] : [];
}
