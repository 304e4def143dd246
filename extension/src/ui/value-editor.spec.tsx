import { nullTranslator } from '@jupyterlab/translation';
import type { JsonValue } from '@labscale/schema';
import * as React from 'react';
import { act } from 'react';
import { ValueEditor, valueProblem, type IValueEditorProps } from './value-editor';
import { mountedRoot } from './mounted-root';

const trans = nullTranslator.load('labscale');

describe('valueProblem', () => {
  it.each<[JsonValue | undefined, IValueEditorProps['spec'], string | null]>([
    [2, { type: 'number' }, null],
    [2.5, { type: 'integer' }, 'type integer'],
    ['2', { type: 'number' }, 'type number'],
    [true, { type: 'boolean' }, null],
    [null, { type: 'number' }, 'None is not allowed'],
    [null, { type: 'number', nullable: true }, null],
    [[1], { type: 'array' }, null],
    [[1], { type: 'object' }, 'type object'],
    [0, { type: 'number', minimum: 1 }, 'at least 1'],
    [9, { type: 'number', maximum: 8 }, 'at most 8'],
    ['c', { type: 'string', enum: ['a', 'b'] }, 'one of'],
    [undefined, { type: 'any' }, 'needed']
  ])('judges %p by %p', (value, spec, problem) => {
    const found = valueProblem(value, spec, trans);
    if (problem === null) expect(found).toBeNull();
    else expect(found).toContain(problem);
  });
});

describe('ValueEditor', () => {
  const place = mountedRoot();

  const typed = (spec: IValueEditorProps['spec'], value: JsonValue, text: string) => {
    const changes: [JsonValue | undefined, string | null][] = [];
    act(() =>
      place.root.render(
        <ValueEditor id="v" trans={trans} spec={spec} value={value} onChange={(...change) => changes.push(change)} />
      )
    );
    const input = place.host.querySelector<HTMLInputElement>('#v') as HTMLInputElement;
    const set = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(input) as object, 'value')?.set;
    act(() => {
      set?.call(input, text);
      input.dispatchEvent(new Event('input', { bubbles: true }));
    });
    return changes.at(-1);
  };

  it.each<[IValueEditorProps['spec'], JsonValue, string, JsonValue | undefined]>([
    [{ type: 'number' }, 1, '2.5', 2.5],
    [{ type: 'number' }, 1, '.5', 0.5],
    [{ type: 'number' }, 1, '1e-3', 0.001],
    [{ type: 'number' }, 1, 'NaN', undefined],
    [{ type: 'number' }, 1, 'Infinity', undefined],
    [{ type: 'number' }, 1, '"2"', undefined],
    [{ type: 'integer' }, 1, '2.5', undefined],
    [{ type: 'string' }, 'a', '2', '2'],
    [{ type: 'string' }, 'a', 'null', 'null'],
    [{ type: 'array' }, [1], '[1, "a"]', [1, 'a']],
    [{ type: 'array' }, [1], '[1,', undefined],
    [{ type: 'any' }, 1, '"__proto__"', '__proto__']
  ])('gives for %p with %p and %p typed: %p', (spec, value, text, expected) => {
    const change = typed(spec, value, text);
    expect(change?.[0]).toEqual(expected);
    expect(change?.[1] === null).toBe(expected !== undefined);
  });

  it('names the problem for a screen reader', () => {
    typed({ type: 'number' }, 1, 'x');
    const input = place.host.querySelector('#v');
    expect(input?.getAttribute('aria-invalid')).toBe('true');
    expect(document.getElementById(input?.getAttribute('aria-describedby') ?? '')?.textContent).toContain(
      'not a number'
    );
  });
});
