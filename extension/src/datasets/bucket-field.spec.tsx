import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { exampleClient, problemResponse, type ExampleAnswer } from '../api/example-answers';
import type { ILabscale } from '../tokens';
import { BucketField } from './bucket-field';

const settle = async () => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setTimeout(resolve, 0));
};

describe('BucketField', () => {
  let root: Root;
  let host: HTMLElement;
  beforeEach(() => {
    host = document.body.appendChild(document.createElement('div'));
    root = createRoot(host);
  });
  afterEach(() => {
    root.unmount();
    host.remove();
  });

  const show = async (answer: ExampleAnswer) => {
    const { client, requests } = exampleClient({ browseBucket: answer });
    const labscale = { client, trans: nullTranslator.load('labscale') } as unknown as ILabscale;
    const at = { bucket: '', prefix: '' };
    const Form = () => {
      const [, draw] = React.useReducer((count: number) => count + 1, 0);
      return <BucketField labscale={labscale} {...at} onChange={(change) => (Object.assign(at, change), draw())} />;
    };
    root.render(<Form />);
    await settle();
    return { at, requests };
  };
  const press = async (label: string) => {
    [...host.querySelectorAll('button')].find((button) => button.textContent === label)?.click();
    await settle();
  };
  const folders = () => [...host.querySelectorAll('.jp-Labscale-BucketFolders button')].map((one) => one.textContent);

  it('goes down into folders and up again, a page at a time', async () => {
    const { at, requests } = await show(({ query }) => {
      const prefix = query['prefix'] ?? '';
      const more = query['cursor'] === undefined && prefix === '';
      const names = prefix === '' ? (more ? ['a/', 'b/'] : ['c/']) : ['x/'];
      return {
        buckets: ['labscale', 'scans'],
        prefix,
        folders: names.map((name) => prefix + name),
        objects: [{ key: `${prefix}o`, sizeBytes: 1 }],
        nextCursor: more ? 'next' : null
      };
    });
    expect(folders()).toEqual(['a/', 'b/', 'More…']);
    await press('More…');
    expect(folders()).toEqual(['a/', 'b/', 'c/']);
    await press('b/');
    expect([at.prefix, folders()]).toEqual(['b/', ['Up', 'x/']]);
    expect(host.textContent).toContain('1 object here');
    await press('x/');
    await press('Up');
    expect(at.prefix).toBe('b/');
    expect(requests.map(({ query }) => query['prefix'])).toEqual([undefined, undefined, 'b/', 'b/x/', 'b/']);
  });

  it('says where there is nothing', async () => {
    await show(() => ({ buckets: ['labscale'], prefix: '', folders: [], objects: [], nextCursor: null }));
    expect(host.querySelector('.jp-Labscale-BucketFolders')?.textContent).toBe('No data here.');
  });

  it('says what is wrong with a prefix', async () => {
    await show(() => problemResponse(400, 'PATH_INVALID'));
    expect(host.querySelector('[role="alert"]')?.textContent).toContain('PATH_INVALID happened');
  });
});
