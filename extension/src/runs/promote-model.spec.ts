import { nullTranslator } from '@jupyterlab/translation';
import type { Analysis, Dataset, ParameterSet, ParameterSetVersion, Plan, Run, ServerInfo } from '@labscale/schema';
import type { OperationId } from '@labscale/schema/operations';
import { exampleClient, examples, page, problemResponse, type ExampleAnswer } from '../api/example-answers';
import { ApiError } from '../api/client';
import { Events } from '../api/example-events';
import {
  emptyChoice,
  estimateText,
  missingChoice,
  PromoteModel,
  runLabel,
  toPromotion,
  type IPromoteChoice,
  type IPromoteStart
} from './promote-model';

const trans = nullTranslator.load('labscale');
const plan = examples<Plan>('Plan');
const run = examples<Run>('Run');
const analysis = examples<Analysis>('Analysis');
const dataset = examples<Dataset>('Dataset');
const set = examples<ParameterSet>('ParameterSet');
const server = examples<ServerInfo>('ServerInfo');
const version = examples<ParameterSetVersion>('ParameterSetVersion');

const choice: IPromoteChoice = {
  ...emptyChoice,
  analysisVersionId: version.analysisVersionId,
  parameterSetVersionIds: [version.id],
  datasetVersionId: dataset.latestVersion.id
};

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());
const settle = async (ms = 0) => jest.advanceTimersByTimeAsync(ms);

function setUp(start: IPromoteStart, more: Partial<Record<OperationId, ExampleAnswer>> = {}) {
  const { client, requests } = exampleClient({
    getServer: () => server,
    listAnalyses: () => page([analysis]),
    listDatasets: () => page([dataset]),
    listParameterSets: () => page([set]),
    listQueries: () => page([]),
    getParameterSetVersion: () => version,
    getAnalysisVersion: () => analysis.latestVersion,
    createPlan: () => plan,
    createRun: () => run,
    ...more
  });
  const model = new PromoteModel(client, new Events(), start);
  const asked = (operation: OperationId) => requests.filter((one) => one.operation === operation);
  return { model, asked };
}

describe('toPromotion', () => {
  it('leaves out what is not chosen, so that the analysis decides', () => {
    expect(toPromotion(choice)).toEqual({
      analysisVersionId: version.analysisVersionId,
      parameterSetVersionIds: [version.id],
      datasetVersionId: dataset.latestVersion.id
    });
    expect(
      toPromotion({
        ...choice,
        filter: ' digit=3 ',
        reuse: false,
        resources: { retries: 0 },
        shardsPerPod: 12,
        trial: { count: 4, order: 'first' }
      })
    ).toMatchObject({
      shardsPerPod: 12,
      filter: 'digit=3',
      reuse: false,
      resources: { retries: 0 },
      trial: { count: 4, order: 'first' }
    });
  });

  it('is nothing while something is missing, and says what', () => {
    expect(toPromotion({ ...choice, datasetVersionId: null })).toBeNull();
    expect(missingChoice({ ...choice, parameterSetVersionIds: [] }, trans)).toBe('Choose at least one parameter set.');
    expect(missingChoice(choice, trans)).toBeNull();
  });
});

describe('texts', () => {
  it('the button says what it does', () => {
    expect(runLabel({ ...plan, tasks: 1_240, reused: 560, toRun: 680 }, null, trans)).toBe(
      'Run 1,240 tasks (560 reused)'
    );
    expect(runLabel({ ...plan, tasks: 1, reused: 0, toRun: 1 }, null, trans)).toBe('Run 1 task');
    expect(runLabel({ ...plan, tasks: 100, reused: 0, toRun: 100 }, { count: 4, order: 'random' }, trans)).toBe(
      'Try 4 of 100 tasks'
    );
    expect(runLabel({ ...plan, tasks: 100, reused: 100, toRun: 0 }, null, trans)).toBe('Publish 100 reused tasks');
  });

  it('the time says what it is based on, and that it is unknown where it is', () => {
    expect(estimateText(plan, trans)).toBe(
      'about 0.9 s — 0.041 s per task, 2 at a time, from the timing on the snippet'
    );
    expect(estimateText({ ...plan, estimate: null }, trans)).toContain('Unknown');
  });
});

describe('PromoteModel', () => {
  it('begins with the set, its analysis and the dataset that it was tuned on, and plans at once', async () => {
    const { model, asked } = setUp({ parameterSetVersionIds: [version.id] });
    void model.load();
    await settle();
    expect(model.choice).toMatchObject(choice);
    expect(model.plan).toEqual(plan);
    expect(asked('createPlan')[0]?.body).toEqual(toPromotion(choice));
    model.dispose();
  });

  it('plans once for many keystrokes, and gives up the plan before', async () => {
    let answer: (value: Plan) => void = () => undefined;
    const { model, asked } = setUp({ parameterSetVersionIds: [version.id] });
    void model.load();
    await settle();
    for (const filter of ['d', 'di', 'dig']) model.choose({ filter });
    expect(model.planning).toBe(true);
    await settle(1_000);
    expect(asked('createPlan').map(({ body }) => (body as { filter?: string }).filter)).toEqual([undefined, 'dig']);
    model.dispose();

    const late = setUp(
      { parameterSetVersionIds: [version.id] },
      {
        createPlan: ({ body }) =>
          (body as { filter?: string }).filter === 'slow' ? new Promise<Plan>((resolve) => (answer = resolve)) : plan
      }
    );
    void late.model.load();
    await settle();
    late.model.choose({ filter: 'slow' });
    await settle(1_000);
    late.model.choose({ filter: 'quick' });
    expect(late.asked('createPlan')[1]?.signal?.aborted).toBe(true);
    await settle(1_000);
    answer({ ...plan, tasks: 7 });
    await settle();
    expect(late.model.plan?.tasks).toBe(plan.tasks);
    late.model.dispose();
  });

  it('shows why there is no plan, and plans again when the choice changes', async () => {
    const { model } = setUp(
      { parameterSetVersionIds: [version.id] },
      {
        createPlan: ({ body }) =>
          (body as { filter?: string }).filter === '((' ? problemResponse(400, 'FILTER_INVALID') : plan
      }
    );
    void model.load();
    await settle();
    model.choose({ filter: '((' });
    await settle(1_000);
    expect(model.plan).toBeNull();
    expect((model.planError as ApiError).code).toBe('FILTER_INVALID');
    model.choose({ filter: '' });
    await settle(1_000);
    expect(model.planError).toBeNull();
    expect(model.plan).toEqual(plan);
    model.dispose();
  });

  it('starts one run however often it is asked, and another for another choice', async () => {
    let fail = true;
    const { model, asked } = setUp(
      { parameterSetVersionIds: [version.id] },
      {
        createRun: () => (fail ? problemResponse(503, 'RUNNER_UNAVAILABLE') : run)
      }
    );
    void model.load();
    await settle();
    expect(await model.promote()).toBeNull();
    expect((model.startError as ApiError).code).toBe('RUNNER_UNAVAILABLE');
    fail = false;
    const [first, second] = await Promise.all([model.promote(), model.promote()]);
    expect([first?.id, second]).toEqual([run.id, null]);
    model.choose({ reuse: false });
    await model.promote();
    const keys = asked('createRun').map(({ headers }) => headers.get('Idempotency-Key'));
    expect(keys).toHaveLength(3);
    expect(keys[0]).toBe(keys[1]);
    expect(keys[2]).not.toBe(keys[0]);
    model.dispose();
  });

  it('knows what runs the tasks', async () => {
    const { model } = setUp({}, { getServer: () => ({ ...server, runner: 'kubernetes' }) });
    void model.load();
    await settle();
    expect(model.runner).toBe('kubernetes');
    model.dispose();
  });

  it('saves the defaults of a container as a set, and goes on with it', async () => {
    const container = { ...analysis.latestVersion, kind: 'container' as const };
    const { model, asked } = setUp(
      { analysisVersionId: container.id },
      { getAnalysisVersion: () => container, listParameterSets: () => page([]), createParameterSet: () => set }
    );
    void model.load();
    await settle();
    expect([model.parameterSets, model.hasDefaults]).toEqual([[], true]);
    void model.saveDefaults('defaults');
    await settle(1_000);
    expect(asked('createParameterSet').map(({ body }) => body)).toEqual([
      { name: 'defaults', analysisVersionId: container.id, values: {} }
    ]);
    expect(model.choice.parameterSetVersionIds).toEqual([set.latestVersion.id]);
    expect(model.parameterSets).toEqual([set]);
    model.dispose();
  });

  it('has no defaults to save where a parameter has none', async () => {
    const { contract, ...rest } = analysis.latestVersion;
    const parameters = [...contract.parameters, { name: 'text', type: 'string' as const }];
    const without = { ...rest, kind: 'container' as const, contract: { ...contract, parameters } };
    const { model } = setUp({ analysisVersionId: without.id }, { getAnalysisVersion: () => without });
    void model.load();
    await settle();
    expect(model.hasDefaults).toBe(false);
    model.dispose();
  });

  it('takes the newest set of another analysis', async () => {
    const { model } = setUp({});
    void model.load();
    await settle();
    expect(model.plan).toBeNull();
    void model.chooseAnalysis(analysis.id);
    await settle(1_000);
    expect(model.choice.parameterSetVersionIds).toEqual([set.latestVersion.id]);
    model.dispose();
  });
});
