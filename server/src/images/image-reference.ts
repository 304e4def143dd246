import { ProblemError } from '../problem-error.js';

export interface ImageReference {
  /** `host` or `host:port`, as it stands in the list of registries that may be asked. */
  registry: string;
  repository: string;
  /** One of the two is there; where both are, the digest decides. */
  tag: string | null;
  digest: string | null;
}

// The grammar of the Distribution specification, but for the registry, which is never left out here: what a bare name
// stands for is a setting of each container engine, so the nodes of a cluster may take it for something else.
const registryPattern = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::[1-9][0-9]{0,4})?$/;
const repositoryPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

/** Whether a text can stand before the first `/` of a reference as the registry. */
export function isRegistry(text: string): boolean {
  const [host = '', port] = /^(\[.*\]|[^:]*)(?::(.*))?$/.exec(text)?.slice(1) ?? [];
  if (!registryPattern.test(text) || (port !== undefined && Number(port) > 65_535)) return false;
  // As in every container engine: without a dot or a port it would be the first part of a name.
  return host.startsWith('[') || host.includes('.') || port !== undefined || host === 'localhost';
}

/** Reads `registry/name:tag` or `registry/name@sha256:...`. Raises IMAGE_INVALID with the field `body/image`. */
export function readImageReference(text: string): ImageReference {
  const slash = text.indexOf('/');
  const registry = text.slice(0, Math.max(slash, 0));
  if (!isRegistry(registry)) {
    throw invalid(text, 'does not begin with a registry', 'Write it with its registry, as registry.example/name:tag.');
  }
  const [named = '', digest, ...moreDigests] = text.slice(slash + 1).split('@');
  const [repository = '', tag, ...moreTags] = named.split(':');
  if (moreDigests.length > 0 || moreTags.length > 0 || !repositoryPattern.test(repository) || repository.length > 255) {
    throw invalid(text, 'has no name that a registry takes', 'Names have lower case letters, digits, . _ - and /.');
  }
  if (digest !== undefined && !digestPattern.test(digest)) {
    throw invalid(text, 'has a digest that is none', 'A digest is sha256: and 64 hex digits.');
  }
  if (tag !== undefined && !tagPattern.test(tag)) {
    throw invalid(text, 'has a tag that is none', 'A tag has at most 128 letters, digits, . _ and -.');
  }
  if (tag === undefined && digest === undefined) {
    throw invalid(text, 'has neither tag nor digest', 'Add a tag, as :1.0, or a digest, as @sha256:...');
  }
  return { registry, repository, tag: tag ?? null, digest: digest ?? null };
}

function invalid(text: string, detail: string, mend: string): ProblemError {
  return new ProblemError('IMAGE_INVALID', `The image "${text.slice(0, 200)}" ${detail}.`, {
    field: 'body/image',
    mend
  });
}
