import type { ObjectStore } from '../../objects/object-store.js';

/** What a pod says of its tasks, as far as it can be read; nothing in it is believed before it is looked at. */
export interface Journal {
  pod: string;
  detail: string | null;
  tasks: JournalEntry[];
}

export interface JournalEntry {
  index: number;
  attempt: number;
  startedAt?: unknown;
  progress?: unknown;
  report?: unknown;
}

const readsAtOnce = 16;

function journalsPrefix(runId: string, wave: number): string {
  return `runs/${runId}/waves/${wave}/pods/`;
}

/** Reads the journals of the pods of one wave, those that changed. */
export class PodJournals {
  /** Pack to what the store said of its journal when it was read last. */
  readonly #seen = new Map<number, string>();

  constructor(
    private readonly objects: ObjectStore,
    private readonly runId: string,
    private readonly wave: number
  ) {}

  /** Those of all pods that have written since the last time; returns how many objects were walked. */
  async readChanged(hear: (pack: number, journal: Journal) => Promise<void>): Promise<number> {
    const prefix = journalsPrefix(this.runId, this.wave);
    let cursor: string | undefined;
    let walked = 0;
    do {
      const page = await this.objects.list(prefix, cursor === undefined ? {} : { cursor });
      walked += page.objects.length;
      const changed = page.objects.flatMap(({ key, etag, sizeBytes }) => {
        const pack = Number(/\/(\d+)\.json$/.exec(key)?.[1] ?? -1);
        const version = etag ?? String(sizeBytes);
        return pack < 0 || this.#seen.get(pack) === version ? [] : [{ pack, version }];
      });
      await inParts(changed, async ({ pack, version }) => {
        const journal = await this.#read(pack);
        this.#seen.set(pack, version);
        if (journal !== undefined) await hear(pack, journal);
      });
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return walked;
  }

  /** Those of some pods, as they are now. */
  async read(packs: readonly number[], hear: (pack: number, journal: Journal) => Promise<void>): Promise<void> {
    await inParts(packs, async (pack) => {
      const journal = await this.#read(pack);
      if (journal !== undefined) await hear(pack, journal);
    });
  }

  async #read(pack: number): Promise<Journal | undefined> {
    const bytes = await this.objects.get(`${journalsPrefix(this.runId, this.wave)}${pack}.json`);
    return bytes && parseJournal(bytes, this.runId, this.wave, pack);
  }
}

/** Undefined where it is not the journal of that pack. */
export function parseJournal(bytes: Buffer, runId: string, wave: number, pack: number): Journal | undefined {
  try {
    const journal = JSON.parse(bytes.toString('utf8')) as Record<string, unknown> & { tasks: JournalEntry[] };
    if (journal['runId'] !== runId || journal['wave'] !== wave || journal['pack'] !== pack) return undefined;
    const { detail, pod } = journal;
    return {
      pod: typeof pod === 'string' ? pod.slice(0, 253) : 'unknown',
      detail: typeof detail === 'string' && detail !== '' ? detail.slice(0, 2_000) : null,
      tasks: journal.tasks.filter((entry) => Number.isSafeInteger(entry.index) && Number.isSafeInteger(entry.attempt))
    };
  } catch {
    return undefined;
  }
}

async function inParts<T>(all: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  for (let start = 0; start < all.length; start += readsAtOnce) {
    await Promise.all(all.slice(start, start + readsAtOnce).map(act));
  }
}
