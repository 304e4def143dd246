import type { IBox } from './place-card';

/** The part of an element that can be seen, after what scrolls or clips around it; null where that is nothing. */
export function visibleBox(element: HTMLElement | null): IBox | null {
  if (!element?.isConnected) return null;
  const rect = element.getBoundingClientRect();
  let { left, top, right, bottom } = rect;
  for (let parent = element.parentElement; parent && parent !== document.body; parent = parent.parentElement) {
    if (getComputedStyle(parent).overflow === 'visible') continue;
    const clip = parent.getBoundingClientRect();
    left = Math.max(left, clip.left);
    top = Math.max(top, clip.top);
    right = Math.min(right, clip.right);
    bottom = Math.min(bottom, clip.bottom);
  }
  // A sliver left of a cell that was scrolled away points at nothing.
  if (right - left < 8 || bottom - top < 8) return null;
  return { left, top, width: right - left, height: bottom - top };
}
