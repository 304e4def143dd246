import { isRegistry } from './image-reference.js';

/** A registry that the administrator allows this server to ask. */
export interface AllowedRegistry {
  /** `host` or `host:port`. */
  registry: string;
  /** Asked by http; any other is asked by https only. */
  plain: boolean;
}

/** Reads `host[:port],http://host[:port],...`; returns the entry at fault where one cannot be read. */
export function readRegistryList(text: string): AllowedRegistry[] | { fault: string } {
  const list: AllowedRegistry[] = [];
  for (const entry of text.split(',').map((part) => part.trim())) {
    if (entry === '') continue;
    const plain = entry.startsWith('http://');
    const registry = plain ? entry.slice('http://'.length) : entry;
    if (!isRegistry(registry)) return { fault: entry };
    list.push({ registry, plain });
  }
  return list;
}
