const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Bytes as a person reads them, as `1.2 MB` (powers of 1,000). */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 and not 1000: what would round to 1000 goes to the next unit.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}
