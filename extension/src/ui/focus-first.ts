/**
 * Gives the focus to what the first fitting selector finds, unless it is inside already. Nothing scrolls: the press of
 * the mouse that activates a page must let go on what it was aimed at.
 */
export function focusFirst(root: HTMLElement, ...selectors: string[]): void {
  const { activeElement } = document;
  if (activeElement !== root && root.contains(activeElement)) return;
  for (const selector of selectors) {
    const found = root.querySelector<HTMLElement>(selector);
    if (!found) continue;
    found.focus({ preventScroll: true });
    return;
  }
}
