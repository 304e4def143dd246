import { isOnDisk, listedKeys } from '../objects/object-walk.js';
import type { ObjectStore } from '../objects/object-store.js';

/**
 * Sizes of what attempts made. On a disk each object is looked at; elsewhere each look is a request, and a page of a list has
 * a thousand of them.
 */
export class ObjectSizes {
  readonly #isOnDisk: boolean;
  #ofRun: Promise<Map<string, number>> | undefined;

  constructor(
    private readonly objects: ObjectStore,
    private readonly runId: string
  ) {
    this.#isOnDisk = isOnDisk(objects);
  }

  /** Whether all objects that one attempt made are there with their sizes; `folder` is the attempt's own, without `/`. */
  async hold(runId: string, folder: string, made: readonly { key: string; sizeBytes: number }[]): Promise<boolean> {
    if (made.length === 0) return true;
    if (this.#isOnDisk) {
      for (const { key, sizeBytes } of made) {
        if ((await this.objects.head(key))?.sizeBytes !== sizeBytes) return false;
      }
      return true;
    }
    // Of another run perhaps one task of very many is reused: only that one's objects are listed.
    const sizes = await (runId === this.runId
      ? (this.#ofRun ??= this.#list(`runs/${runId}/attempts/`))
      : this.#list(`${folder}/`));
    return made.every(({ key, sizeBytes }) => sizes.get(key) === sizeBytes);
  }

  /** By key, of the files that attempts made: a run has as many logs and reports besides. */
  async #list(prefix: string): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    for await (const { key, sizeBytes } of listedKeys(this.objects, prefix)) {
      if (key.includes('/out/')) sizes.set(key, sizeBytes);
    }
    return sizes;
  }
}
