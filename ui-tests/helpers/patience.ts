const onCluster = process.env['LABSCALE_RUNNER'] === 'kubernetes';

/** How long a screen may take to show what a run did, in milliseconds: pods start slowly and may wait for room. */
export const runTimeout = onCluster ? 180_000 : 60_000;

/** How long a test may take, in milliseconds. */
export const testTimeout = onCluster ? 600_000 : 180_000;
