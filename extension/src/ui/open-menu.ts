import { MenuSvg } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyJSONObject } from '@lumino/coreutils';

export interface IMenuEntry {
  command: string;
  args: ReadonlyJSONObject;
}

/** Opens a menu of commands at a point; null is a separator. It goes away with its last use. */
export function openMenu(
  commands: CommandRegistry,
  entries: readonly (IMenuEntry | null)[],
  x: number,
  y: number
): void {
  const menu = new MenuSvg({ commands });
  for (const entry of entries) menu.addItem(entry === null ? { type: 'separator' } : entry);
  // Not at once: the chosen command runs after the menu has closed.
  menu.aboutToClose.connect(() => window.setTimeout(() => menu.dispose(), 0));
  menu.open(x, y);
}
