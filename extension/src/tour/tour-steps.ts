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
  /** Does what the text tells, for those who would rather watch. */
  action?: { label: string; run: () => Promise<void> };
  /** Said in the place of the target while it is not there. */
  missing?: string;
}
