import { formatAge, shortAge } from './format-age';
import { formatDuration } from './format-duration';
import { formatSize } from './format-size';

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [999_949, '1.0 MB'],
  [127_808, '128 kB'],
  [1_250_000_000, '1.3 GB']
])('formatSize(%p) is %p', (bytes, text) => {
  expect(formatSize(bytes)).toBe(text);
});

it.each([
  [0, '0 s'],
  [0.0321, '0.032 s'],
  [1.26, '1.3 s'],
  [59.6, '1 min'],
  [185, '3 min 5 s'],
  [7_800, '2 h 10 min'],
  [3_600, '1 h'],
  [97_200, '1 d 3 h']
])('formatDuration(%p) is %p', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

it.each([
  [-30, '30 seconds ago'],
  [-120, '2 minutes ago'],
  [-86_400, 'yesterday'],
  [-40 * 86_400, 'last month']
])('formatAge of %p seconds is %p', (seconds, text) => {
  const now = Date.parse('2026-06-15T12:00:00Z');
  expect(formatAge(new Date(now + seconds * 1_000).toISOString(), now)).toBe(text);
});

it('shortAge leaves out what a narrow list has no room for', () => {
  const now = Date.parse('2026-06-15T12:00:00Z');
  expect(shortAge('2026-06-15T11:59:39Z', now)).toBe('21s ago');
});
