/** A whole number with the separators of the browser's language, as `1,240`. */
export function formatCount(count: number): string {
  return count.toLocaleString();
}
