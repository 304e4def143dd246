import type { Kysely } from 'kysely';

/** Analyses of container images, and runs whose tasks share pods. */
export async function up(database: Kysely<unknown>): Promise<void> {
  await database.schema.alterTable('analysisVersion').addColumn('imageJson', 'text').execute();
  await database.schema.alterTable('analysisVersion').addColumn('adapter', 'text').execute();
  await database.schema.alterTable('run').addColumn('shardsPerPod', 'bigint').execute();
}
