import { act } from 'react';
import { createRoot, type Root } from 'react-dom/client';

/** A place in the document for the components of a spec, made before each of its tests and gone after it. */
export function mountedRoot(): { host: HTMLElement; root: Root } {
  const place = {} as { host: HTMLElement; root: Root };
  beforeAll(() => {
    (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  });
  beforeEach(() => {
    place.host = document.body.appendChild(document.createElement('div'));
    place.root = createRoot(place.host);
  });
  afterEach(() => {
    act(() => place.root.unmount());
    place.host.remove();
  });
  return place;
}
