import type { ObjectInfo, ObjectStore } from './object-store.js';

/** Whether looking at an object is a call to the kernel; elsewhere it is a request, and a page of a list has a thousand. */
export function isOnDisk(objects: ObjectStore): boolean {
  return objects.fileOf('runs') !== undefined;
}

/** Every object below a prefix, in the order of the keys. */
export async function* listedKeys(objects: ObjectStore, prefix: string): AsyncGenerator<ObjectInfo> {
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = await objects.list(prefix, cursor === '' ? {} : { cursor });
    yield* page.objects;
    cursor = page.nextCursor;
  }
}
