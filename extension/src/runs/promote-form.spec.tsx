import { nullTranslator } from '@jupyterlab/translation';
import type { Analysis, Dataset, ParameterSet, Plan, ServerInfo } from '@labscale/schema';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import { act } from 'react';
import { exampleClient, examples, page } from '../api/example-answers';
import { Events } from '../api/example-events';
import { PromoteForm } from './promote-form';
import { PromoteModel } from './promote-model';

const trans = nullTranslator.load('labscale');
const analysis = examples<Analysis>('Analysis');
const server = examples<ServerInfo>('ServerInfo');

describe('PromoteForm', () => {
  let form: PromoteForm;
  beforeAll(() => {
    (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  });
  afterEach(() => act(() => form.dispose()));

  const show = async (runner: ServerInfo['runner']) => {
    const { client, requests } = exampleClient({
      getServer: () => ({ ...server, runner }),
      listAnalyses: () => page([analysis]),
      listDatasets: () => page([examples<Dataset>('Dataset')]),
      listParameterSets: () => page([examples<ParameterSet>('ParameterSet')]),
      listQueries: () => page([]),
      getParameterSetVersion: () => examples<ParameterSet>('ParameterSet').latestVersion,
      getAnalysisVersion: () => analysis.latestVersion,
      createPlan: () => ({ ...examples<Plan>('Plan'), runner })
    });
    const start = { parameterSetVersionIds: [examples<ParameterSet>('ParameterSet').latestVersion.id] };
    const model = new PromoteModel(client, new Events(), start);
    const actions = { started: jest.fn(), changeValues: jest.fn(), showDatasets: jest.fn() };
    form = new PromoteForm(model, start, trans, actions);
    await act(async () => {
      Widget.attach(form, document.body);
      await model.load();
      MessageLoop.flush();
    });
    return { model, requests };
  };
  const field = (label: string) =>
    [...form.node.querySelectorAll('label')]
      .find((one) => one.querySelector('span')?.textContent === label)
      ?.querySelector('input');

  it('asks for shards per pod and GPUs where there is a cluster', async () => {
    const { model } = await show('kubernetes');
    const input = field('Shards per pod')!;
    expect(input.placeholder).toBe("chosen from the trial's timing");
    expect(field('GPUs')!.placeholder).toBe('0');
    const type = (text: string) =>
      act(() => {
        Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')!.set!.call(input, text);
        input.dispatchEvent(new Event('input', { bubbles: true }));
      });
    type('24');
    expect(model.choice.shardsPerPod).toBe(24);
    type('1001');
    expect([model.choice.shardsPerPod, input.getAttribute('aria-invalid')]).toEqual([24, 'true']);
    type('');
    expect(model.choice.shardsPerPod).toBeNull();
  });

  it('asks for neither on one machine', async () => {
    await show('local');
    expect([field('Shards per pod'), field('GPUs')]).toEqual([undefined, undefined]);
    expect(field('CPUs')).toBeDefined();
  });
});
