/** Seconds as a person reads them, in at most two units: `0.24 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`. */
export function formatDuration(seconds: number): string {
  if (seconds < 1) return `${Number(seconds.toPrecision(2))} s`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const [size, unit, partSize, partUnit] =
    whole < 3_600 ? [60, 'min', 1, 's'] : whole < 86_400 ? [3_600, 'h', 60, 'min'] : [86_400, 'd', 3_600, 'h'];
  const rest = Math.floor((whole % size) / partSize);
  return `${Math.floor(whole / size)} ${unit}${rest > 0 ? ` ${rest} ${partUnit}` : ''}`;
}
