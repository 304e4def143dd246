const steps: [number, Intl.RelativeTimeFormatUnit][] = [
  [60, 'second'],
  [60, 'minute'],
  [24, 'hour'],
  [7, 'day'],
  [4.35, 'week'],
  [12, 'month'],
  [Infinity, 'year']
];

/** How long ago an ISO 8601 time was, as `5 minutes ago`, in the language of the browser; `narrow` as `5m ago`. */
export function formatAge(time: string, now: number = Date.now(), style: 'long' | 'narrow' = 'long'): string {
  let value = (Date.parse(time) - now) / 1_000;
  for (const [size, unit] of steps) {
    if (Math.abs(value) < size)
      return new Intl.RelativeTimeFormat(undefined, { numeric: 'auto', style }).format(Math.round(value), unit);
    value /= size;
  }
  return time;
}

/** For lists, where there is no room: as Lab's file browser writes it. */
export function shortAge(time: string, now?: number): string {
  return formatAge(time, now, 'narrow');
}
