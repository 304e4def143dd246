// Waits for several things at once.

/** Wait for all; an error is thrown when the last has ended, so that nothing goes on behind it. */
export async function together(...works) {
  const ends = await Promise.allSettled(works);
  const failed = ends.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
  return ends.map(({ value }) => value);
}
