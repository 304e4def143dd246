import type { TSchema } from 'typebox';
import { Analysis, AnalysisVersion, Contract } from './analysis.js';
import { Dataset, DatasetVersion, Query, Shard, Snippet } from './dataset.js';
import { ServerEvent } from './event.js';
import { Lineage } from './lineage.js';
import { ServerInfo } from './operation-schemas.js';
import { ParameterComparison, ParameterSet, ParameterSetVersion } from './parameter-set.js';
import { Problem } from './problem.js';
import { Attempt, Derivative, Plan, Promotion, Run, Task } from './run.js';

/** Every named component, by its `$id`. */
export const components: Record<string, TSchema> = Object.fromEntries(
  [
    Dataset,
    DatasetVersion,
    Shard,
    Query,
    Snippet,
    Analysis,
    AnalysisVersion,
    Contract,
    ParameterSet,
    ParameterSetVersion,
    ParameterComparison,
    Promotion,
    Plan,
    Run,
    Task,
    Attempt,
    Derivative,
    Lineage,
    ServerEvent,
    ServerInfo,
    Problem
  ].map((schema) => [(schema as unknown as { $id: string }).$id, schema as TSchema])
);
