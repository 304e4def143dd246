import { realpath, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { ProblemError } from '../problem-error.js';

const field = 'body/source/path';

/** Finds the folders that datasets are registered from; relative paths start at the project folder. */
export class DatasetFolders {
  constructor(
    private readonly projectFolder: string,
    private readonly dataFolder: string
  ) {}

  /** The real path of a folder. Raises FOLDER_NOT_FOUND, and PATH_INVALID for one of the server's own. */
  async find(path: string): Promise<string> {
    if (path.includes('\0')) throw new ProblemError('PATH_INVALID', 'The path has a NUL character.', { field });
    const wanted = resolve(this.projectFolder, path);
    const found = await realpath(wanted).catch((error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      throw new ProblemError(
        'FOLDER_NOT_FOUND',
        `There is no folder ${wanted}${code === 'ENOENT' ? '' : ` (${code})`}.`,
        {
          field,
          mend: `Give a path that is absolute or starts at ${this.projectFolder}.`
        }
      );
    });
    if (!(await stat(found)).isDirectory()) {
      throw new ProblemError('FOLDER_NOT_FOUND', `${wanted} is a file, not a folder.`, {
        field,
        mend: 'Give the folder that it is in.'
      });
    }
    const own = await realpath(this.dataFolder);
    if (found === own || found.startsWith(own + sep) || found.split(sep).includes('.labscale')) {
      throw new ProblemError('PATH_INVALID', `${wanted} is a folder of the server's own.`, {
        field,
        mend: 'Choose a folder with data; derivatives are datasets already.'
      });
    }
    return found;
  }

  /** Where the files of a version start now; undefined where the folder has gone. */
  async root(path: string): Promise<string | undefined> {
    return realpath(resolve(this.projectFolder, path)).catch(() => undefined);
  }

  /** Real path of what no dataset is made of. */
  async own(): Promise<string> {
    return realpath(this.dataFolder);
  }

  fileOf(path: string, at: string): string {
    return join(resolve(this.projectFolder, path), at);
  }
}
