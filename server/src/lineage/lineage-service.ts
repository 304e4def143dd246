import type { Lineage } from '@labscale/schema';
import type { User } from '../http/identify.js';
import { ProblemError, notFound } from '../problem-error.js';
import type { LineageEdge, LineageNode, LineageRepository } from './lineage-repository.js';

/** A graph larger than this is not one that a person looks at. */
const mostNodes = 300;
const mostUses = 50;

export class LineageService {
  constructor(private readonly repository: LineageRepository) {}

  /** Everything that led to `id`, and everything that came of it; not what its sources led to besides. */
  async get(user: User, id: string): Promise<Lineage> {
    const focus = await this.repository.findNode(user.name, id);
    if (focus === undefined) {
      if (/^(ds|an|ps|qu)-/.test(id)) {
        throw new ProblemError('REQUEST_INVALID', `"${id}" has versions; lineage is of one of them.`, {
          field: 'params/id',
          mend: 'Pass the id of a version, a snippet or a run.'
        });
      }
      throw notFound(id);
    }
    const nodes = new Map<string, LineageNode>([[id, focus]]);
    const edges = new Map<string, LineageEdge>();
    const walk = async (step: (id: string) => Promise<LineageEdge[]>, end: (edge: LineageEdge) => string) => {
      const queue = [id];
      for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
        for (const edge of await step(at)) {
          const other = end(edge);
          if (!nodes.has(other)) {
            if (nodes.size >= mostNodes) continue;
            const found = await this.repository.findNode(user.name, other);
            if (found === undefined) continue;
            nodes.set(other, found);
            queue.push(other);
          }
          edges.set(`${edge.from} ${edge.to} ${edge.relation}`, edge);
        }
      }
    };
    await walk(
      (at) => this.repository.findSources(at),
      (edge) => edge.from
    );
    await walk(
      (at) => this.repository.findUses(at, mostUses),
      (edge) => edge.to
    );
    return { focus: id, nodes: [...nodes.values()], edges: [...edges.values()] };
  }
}
