import { focusFirst } from './focus-first';

describe('focusFirst', () => {
  let root: HTMLElement;
  beforeEach(() => {
    root = document.createElement('div');
    root.tabIndex = -1;
    for (const name of ['input', 'button']) root.append(document.createElement(name));
    document.body.append(root);
  });
  afterEach(() => root.remove());

  it('takes the selectors in their order, not in that of the document', () => {
    focusFirst(root, 'select', 'button', 'input');
    expect(document.activeElement?.localName).toBe('button');
  });

  it('scrolls nothing', () => {
    const focus = jest.spyOn(HTMLElement.prototype, 'focus');
    focusFirst(root, 'button');
    expect(focus).toHaveBeenCalledWith({ preventScroll: true });
    focus.mockRestore();
  });

  it('leaves the focus where it is within, but takes it from the root itself', () => {
    root.querySelector('input')?.focus();
    focusFirst(root, 'button');
    expect(document.activeElement?.localName).toBe('input');
    root.focus();
    focusFirst(root, 'button');
    expect(document.activeElement?.localName).toBe('button');
  });
});
