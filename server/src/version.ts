/** As in package.json; the bundle is one file and has no package.json beside it. */
export const version = '0.1.0';
