import * as React from 'react';
import { act } from 'react';
import { VirtualList, type IVirtualListProps } from './virtual-list';
import { mountedRoot } from './mounted-root';

const viewport = 400;
const rowHeight = 20;

describe('VirtualList', () => {
  const place = mountedRoot();
  let selected: number | null;

  beforeAll(() => {
    // jsdom lays nothing out: the height of a viewport has to be said.
    Object.defineProperty(HTMLElement.prototype, 'clientHeight', { configurable: true, get: () => viewport });
    globalThis.ResizeObserver ??= class {
      observe() {}
      unobserve() {}
      disconnect() {}
    } as unknown as typeof ResizeObserver;
  });
  beforeEach(() => {
    selected = null;
  });

  const draw = (more: Partial<IVirtualListProps> = {}) =>
    act(() =>
      place.root.render(
        <VirtualList
          label="things"
          role="listbox"
          count={100_000}
          rowHeight={rowHeight}
          row={(index) => ({ content: `row ${index}` })}
          rowKey={(index) => String(index)}
          selectedIndex={selected}
          onSelect={(index) => {
            selected = index;
          }}
          {...more}
        />
      )
    );
  const list = () => place.host.querySelector<HTMLElement>('[aria-label="things"]') as HTMLElement;
  const rows = () => [...place.host.querySelectorAll('[role="option"], [role="treeitem"]')];
  const press = (key: string) => {
    act(() => {
      list().dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    });
    draw();
  };

  it('has at most three viewports of rows in the document at 100,000 rows', () => {
    draw();
    expect(rows().length).toBeGreaterThanOrEqual(viewport / rowHeight);
    expect(rows().length).toBeLessThanOrEqual((3 * viewport) / rowHeight);
    act(() => {
      list().scrollTop = 50_000 * rowHeight;
      list().dispatchEvent(new Event('scroll', { bubbles: true }));
    });
    expect(rows().some((row) => row.textContent === 'row 50000')).toBe(true);
    expect(rows().length).toBeLessThanOrEqual((3 * viewport) / rowHeight);
  });

  it('says which rows are in sight', () => {
    const seen: [number, number][] = [];
    draw({ onRange: (first, last) => seen.push([first, last]) });
    expect(seen.at(-1)?.[0]).toBe(0);
    expect(seen.at(-1)?.[1]).toBeGreaterThanOrEqual(viewport / rowHeight - 1);
  });

  it('moves by keys and tells a screen reader where it is', () => {
    draw();
    press('ArrowDown');
    expect(selected).toBe(0);
    press('ArrowDown');
    expect(selected).toBe(1);
    const active = list().getAttribute('aria-activedescendant');
    expect(document.getElementById(active ?? '')?.textContent).toBe('row 1');
    expect(document.getElementById(active ?? '')?.getAttribute('aria-posinset')).toBe('2');
    press('End');
    expect(selected).toBe(99_999);
    expect(list().scrollTop).toBe(100_000 * rowHeight - viewport);
    press('ArrowDown');
    expect(selected).toBe(99_999);
    press('Home');
    expect(selected).toBe(0);
    press('PageDown');
    expect(selected).toBe(viewport / rowHeight - 1);
  });

  it('opens by Enter and by one click', () => {
    const opened: number[] = [];
    selected = 3;
    draw({ onOpen: (index) => opened.push(index) });
    act(() => {
      list().dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
      rows()[5]?.dispatchEvent(new MouseEvent('click', { bubbles: true, detail: 1 }));
      rows()[5]?.dispatchEvent(new MouseEvent('click', { bubbles: true, detail: 2 }));
    });
    expect(opened).toEqual([3, 5]);
  });

  it('opens and closes branches of a tree by the arrows', () => {
    const toggled: [number, boolean][] = [];
    const tree: Partial<IVirtualListProps> = {
      role: 'tree',
      count: 3,
      row: (index) => ({
        content: String(index),
        level: index === 0 ? 1 : 2,
        expanded: index === 0 ? true : undefined
      }),
      onExpand: (index, expanded) => toggled.push([index, expanded])
    };
    selected = 2;
    draw(tree);
    act(() => {
      list().dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }));
    });
    expect(selected).toBe(0);
    draw(tree);
    act(() => {
      list().dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }));
    });
    expect(toggled).toEqual([[0, false]]);
    expect(rows()[0]?.getAttribute('aria-expanded')).toBe('true');
    expect(rows()[1]?.getAttribute('aria-level')).toBe('2');
  });
});
