/** One stop of the tour. */
export interface ITourStep {
  id: string;
  title: string;
  /** Plain text; what is between double asterisks is strong. */
  text: string;
  /** What to light; null where it is not there (yet). */
  target: () => HTMLElement | null;
  /** Brings the target into sight. */
  show?: () => void | Promise<void>;
  /** Does what the text tells, for those who would rather watch; goes on to the next step where that is all of it. */
  action?: { label: string; run: () => Promise<void>; goesOn?: boolean; wanted?: () => Promise<boolean> };
  /** The user did what the text tells: the next step. Asked only after it was false once. */
  done?: () => boolean;
  /** Said in the place of the target while it is not there. */
  missing?: string;
}
