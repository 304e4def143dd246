import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { showFormDialog } from './form-dialog';

const trans = nullTranslator.load('labscale');
const settle = async () => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setTimeout(resolve, 0));
};
const dialog = () => document.querySelector<HTMLElement>('.jp-Labscale-Dialog');
const button = (index: number) => dialog()?.querySelectorAll<HTMLButtonElement>('.jp-Dialog-button')[index];

describe('showFormDialog', () => {
  // jsdom lays nothing out, so it scrolls nothing either.
  beforeAll(() => {
    HTMLElement.prototype.scrollIntoView = () => undefined;
  });

  const open = async (submit: () => Promise<string | null>) => {
    const body = () => <input defaultValue="x" />;
    const shown = showFormDialog({ title: 'Do it', trans, accept: 'Do', body, submit });
    await settle();
    return shown;
  };
  const begin = (submit: () => Promise<string | null>) => {
    const result: { value: string | null | undefined } = { value: undefined };
    void open(submit).then((value) => (result.value = value));
    return result;
  };
  afterEach(async () => {
    button(0)?.click();
    await settle();
  });

  it('gives what was done, and is gone', async () => {
    const result = begin(async () => 'done');
    await settle();
    button(1)?.click();
    await settle();
    expect(result.value).toBe('done');
    expect(dialog()).toBeNull();
  });

  it('stays open with the reason where it failed, and works once that is mended', async () => {
    let broken = true;
    const result = begin(async () => {
      if (broken) throw new Error('the folder is empty');
      return 'done';
    });
    await settle();
    button(1)?.click();
    await settle();
    expect(result.value).toBeUndefined();
    expect(dialog()?.querySelector('[role="alert"]')?.textContent).toContain('the folder is empty');
    broken = false;
    // What is typed makes Lab look for invalid fields, and for a class that it takes for one.
    dialog()
      ?.querySelector('input')
      ?.dispatchEvent(new Event('input', { bubbles: true }));
    button(1)?.click();
    await settle();
    expect(result.value).toBe('done');
    expect(dialog()).toBeNull();
  });

  it('does it once, however often it is asked to', async () => {
    let count = 0;
    begin(() => {
      count += 1;
      return new Promise((resolve) => setTimeout(() => resolve('done'), 20));
    });
    await settle();
    button(1)?.click();
    button(1)?.click();
    await settle();
    expect(count).toBe(1);
  });

  it('gives null where it was cancelled', async () => {
    const result = begin(async () => 'done');
    await settle();
    button(0)?.click();
    await settle();
    expect(result.value).toBeNull();
  });
});
