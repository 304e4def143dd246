const steps: [number, Intl.RelativeTimeFormatUnit][] = [
  [60, 'second'],
  [60, 'minute'],
  [24, 'hour'],
  [7, 'day'],
  [4.35, 'week'],
  [12, 'month'],
  [Infinity, 'year']
];

/** How long ago an ISO 8601 time was, as `5 minutes ago`, in the language of the browser. */
export function formatAge(time: string, now: number = Date.now()): string {
  let value = (Date.parse(time) - now) / 1_000;
  for (const [size, unit] of steps) {
    if (Math.abs(value) < size)
      return new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' }).format(Math.round(value), unit);
    value /= size;
  }
  return time;
}
