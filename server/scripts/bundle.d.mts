/** Writes the server as one file, to `dist` where no place is named. */
export function bundle(outfile?: string): Promise<{ outfile: string; bytes: number }>;
