import type { APIRequestContext } from '@playwright/test';
import type {
  Analysis,
  Dataset,
  DatasetVersion,
  OperationId,
  Operations,
  ParameterSet,
  Promotion,
  Run
} from '@labscale/schema';
import { apiPrefix, operations, type Operation } from '@labscale/schema/operations';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

interface IInput<K extends OperationId> {
  params?: Operations[K]['params'];
  query?: Operations[K]['query'];
  body?: Operations[K]['body'];
}

export interface ICells {
  /** Source of the cell tagged `parameters`. */
  parameters: string;
  cells: readonly string[];
}

const pauseMs = 100;

/** A project folder that a JupyterLab serves, and what is in it: what a test finds there before it looks at a screen. */
export class LabscaleProject {
  constructor(
    readonly folder: string,
    private readonly _request: APIRequestContext,
    private readonly _url: string
  ) {}

  /** An operation of the contract, the way the browser goes: through the Jupyter server. */
  async call<K extends OperationId>(id: K, input: IInput<K> = {}): Promise<Operations[K]['result']> {
    const operation: Operation = operations[id];
    const params = (input.params ?? {}) as Record<string, string | number>;
    const path = operation.path.replace(/:([A-Za-z]+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
    const response = await this._request.fetch(`${this._url}/labscale${apiPrefix}${path}`, {
      method: operation.method,
      ...(input.query === undefined ? {} : { params: input.query as Record<string, string> }),
      ...(input.body === undefined ? {} : { data: input.body }),
      ...(operation.idempotent ? { headers: { 'Idempotency-Key': randomUUID() } } : {})
    });
    if (!response.ok()) throw new Error(`${id}: ${response.status()} ${await response.text()}`);
    return (response.status() === 204 ? undefined : await response.json()) as Operations[K]['result'];
  }

  /** Writes files below the project folder, by their paths in it. */
  write(files: Record<string, string>): void {
    for (const [path, content] of Object.entries(files)) {
      const file = join(this.folder, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    }
  }

  /** Registers a folder by a pattern and waits until its shards are known. */
  async registerDataset(name: string, path: string, pattern: string): Promise<Dataset> {
    const source = { kind: 'folder', path, layout: 'pattern', pattern } as const;
    const dataset = await this.call('createDataset', { body: { name, source } });
    const latestVersion = await this.untilIndexed(dataset.latestVersion.id);
    return { ...dataset, latestVersion };
  }

  async untilIndexed(versionId: string): Promise<DatasetVersion> {
    return this._until(
      () => this.call('getDatasetVersion', { params: { versionId } }),
      ({ indexing }) => indexing.state !== 'digesting'
    );
  }

  /** Writes a notebook and registers it as an analysis. */
  async registerNotebook(path: string, cells: ICells): Promise<Analysis> {
    const notebook = notebookOf(cells);
    this.write({ [path]: JSON.stringify(notebook) });
    return this.call('createAnalysis', { body: { kind: 'notebook', path, notebook } });
  }

  async saveParameters(
    analysis: Analysis,
    body: Omit<Operations['createParameterSet']['body'], 'analysisVersionId'>
  ): Promise<ParameterSet> {
    return this.call('createParameterSet', { body: { ...body, analysisVersionId: analysis.latestVersion.id } });
  }

  async promote(
    dataset: Dataset,
    sets: readonly ParameterSet[],
    more: Partial<Promotion> & { name?: string } = {}
  ): Promise<Run> {
    const { name, ...promotion } = more;
    return this.call('createRun', {
      body: {
        ...(name === undefined ? {} : { name }),
        promotion: {
          analysisVersionId: sets[0]?.latestVersion.analysisVersionId ?? '',
          parameterSetVersionIds: sets.map((set) => set.latestVersion.id),
          datasetVersionId: dataset.latestVersion.id,
          ...promotion
        }
      }
    });
  }

  /** Waits until a run needs nothing more, or waits for its release. */
  async untilSettled(run: Run): Promise<Run> {
    return this._until(
      () => this.call('getRun', { params: { runId: run.id } }),
      ({ state }) => ['succeeded', 'failed', 'stopped', 'awaiting-release'].includes(state)
    );
  }

  private async _until<T>(read: () => Promise<T>, wanted: (found: T) => boolean): Promise<T> {
    for (;;) {
      const found = await read();
      if (wanted(found)) return found;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** A notebook with a cell tagged `parameters` in front. */
export function notebookOf({ parameters, cells }: ICells) {
  const code = (source: string, id: number, metadata: object) => ({
    cell_type: 'code' as const,
    id: `cell-${id}`,
    execution_count: null,
    metadata,
    outputs: [],
    source
  });
  return {
    cells: [code(parameters, 0, { tags: ['parameters'] }), ...cells.map((cell, at) => code(cell, at + 1, {}))],
    metadata: { kernelspec: { name: 'python3', display_name: 'Python 3 (ipykernel)', language: 'python' } },
    nbformat: 4,
    nbformat_minor: 5
  };
}
