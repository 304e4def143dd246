import type { ObjectInfo, ObjectPage, ObjectStore } from './object-store.js';

/** Whether looking at an object is a call to the kernel; elsewhere it is a request, and a page of a list has a thousand. */
export function isOnDisk(objects: ObjectStore): boolean {
  return objects.fileOf('runs') !== undefined;
}

/** Every object of all pages, in the order of the keys. */
export async function* allPages(
  pageAt: (options: { cursor?: string }) => Promise<ObjectPage>
): AsyncGenerator<ObjectInfo> {
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = await pageAt(cursor === '' ? {} : { cursor });
    yield* page.objects;
    cursor = page.nextCursor;
  }
}

/** Every object below a prefix, in the order of the keys. */
export function listedKeys(objects: ObjectStore, prefix: string): AsyncGenerator<ObjectInfo> {
  return allPages((options) => objects.list(prefix, options));
}
