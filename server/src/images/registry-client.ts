import { hash } from 'node:crypto';
import type { ContainerImage } from '@labscale/schema';
import { ProblemError } from '../problem-error.js';
import { readImageReference, type ImageReference } from './image-reference.js';
import type { AllowedRegistry } from './registry-list.js';
import { AddressRefused, AnswerTooLarge, getFromRegistry, type RegistryAnswer } from './registry-request.js';

/** An image as a registry has it: what is kept of it, and what it would be started with by itself. */
export interface ResolvedImage extends ContainerImage {
  defaultCommand: string[];
}

interface Descriptor {
  mediaType?: string;
  digest: string;
  platform?: { os?: string; architecture?: string };
}

const indexTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json'
];
const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json'
];
const configTypes = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'];
/** The Distribution specification lets registries refuse a manifest of more than 4 MiB, so no image has one. */
const largestManifestBytes = 4_194_304;
const largestConfigBytes = 8_388_608;
const largestTokenBytes = 262_144;
const mostRedirects = 5;
const patienceMs = 20_000;

/** Asks image registries, by the pull half of the Distribution API, what a reference stands for. Fetches no layer. */
export class RegistryClient {
  /** `architecture` is that of the machines that will run the images, as Go names it. */
  constructor(
    private readonly allowed: readonly AllowedRegistry[],
    private readonly architecture: string = 'amd64'
  ) {}

  /** Raises IMAGE_INVALID, IMAGE_NOT_FOUND, REGISTRY_NOT_ALLOWED, REGISTRY_UNAVAILABLE; all name the field `body/image`. */
  async resolve(text: string): Promise<ResolvedImage> {
    const reference = readImageReference(text);
    const visit = new RegistryVisit(this.allowed, reference, text);
    let { digest, json } = await visit.manifest(reference.digest ?? reference.tag!);
    const platform = `linux/${this.architecture}`;
    if (indexTypes.includes(json.mediaType)) {
      const offered = descriptorsOf(json['manifests']).filter(({ platform: of }) => of?.os !== 'unknown');
      const fitting = offered.find(({ platform: of }) => of?.os === 'linux' && of.architecture === this.architecture);
      if (fitting === undefined) {
        const names = [...new Set(offered.map(({ platform: of }) => `${of?.os ?? '?'}/${of?.architecture ?? '?'}`))];
        throw visit.invalid(
          `is there for ${names.join(', ') || 'no platform'}, not for ${platform}`,
          'Build it for that platform as well.'
        );
      }
      ({ digest, json } = await visit.manifest(fitting.digest));
    }
    const [config] = descriptorsOf([json['config']]);
    if (
      !manifestTypes.includes(json.mediaType) ||
      config === undefined ||
      !configTypes.includes(config.mediaType ?? '')
    ) {
      throw visit.invalid('is not an image that a container can be started from', 'Name a container image.');
    }
    const image = await visit.config(config.digest);
    if (image.platform !== platform) {
      throw visit.invalid(`is for ${image.platform}, not for ${platform}`, 'Build it for that platform.');
    }
    const { entrypoint, workingDirectory, defaultCommand } = image;
    return { reference: text, digest, entrypoint, workingDirectory, defaultCommand };
  }
}

/** The requests that one resolution takes: one time limit, one token. */
class RegistryVisit {
  readonly #signal = AbortSignal.timeout(patienceMs);
  #token: string | undefined;

  constructor(
    private readonly allowed: readonly AllowedRegistry[],
    private readonly reference: ImageReference,
    private readonly text: string
  ) {}

  async manifest(name: string): Promise<{ digest: string; json: Record<string, unknown> & { mediaType: string } }> {
    const { body, headers } = await this.#get(`manifests/${name}`, largestManifestBytes);
    const digest = this.#digestOf(body, name.includes(':') ? name : undefined);
    const json = this.#parse(body);
    // An OCI manifest may leave its type to the header.
    const mediaType = json['mediaType'] ?? headers['content-type']?.split(';')[0]?.trim();
    return { digest, json: { ...json, mediaType: String(mediaType) } };
  }

  async config(digest: string): Promise<{
    platform: string;
    entrypoint: string[];
    defaultCommand: string[];
    workingDirectory: string | null;
  }> {
    const { body } = await this.#get(`blobs/${digest}`, largestConfigBytes);
    this.#digestOf(body, digest);
    const { os, architecture, config } = this.#parse(body);
    const own = (typeof config === 'object' && config !== null ? config : {}) as Record<string, unknown>;
    const workingDirectory = own['WorkingDir'];
    return {
      platform: `${String(os)}/${String(architecture)}`,
      entrypoint: this.#words(own['Entrypoint'], 'an entrypoint'),
      defaultCommand: this.#words(own['Cmd'], 'a command'),
      workingDirectory: typeof workingDirectory === 'string' && workingDirectory !== '' ? workingDirectory : null
    };
  }

  invalid(detail: string, mend: string, cause?: unknown): ProblemError {
    return this.#problem('IMAGE_INVALID', `The image "${this.text}" ${detail}.`, mend, cause);
  }

  #words(value: unknown, what: string): string[] {
    if (value === undefined || value === null) return [];
    const usable =
      Array.isArray(value) && value.every((word): word is string => typeof word === 'string' && !word.includes('\0'));
    if (usable && value.reduce((sum, word) => sum + Buffer.byteLength(word), 0) <= 65_536) return value;
    throw this.invalid(`has ${what} that cannot be used`, 'Build it with a shorter list of plain words.');
  }

  #digestOf(body: Buffer, expected: string | undefined): string {
    const digest = `sha256:${hash('sha256', body)}`;
    if (expected === undefined || digest === expected) return digest;
    throw this.invalid(
      `is not what the registry says it is: ${expected} was asked for, ${digest} came`,
      'Push it again, or ask those who run the registry.'
    );
  }

  #parse(body: Buffer): Record<string, unknown> {
    try {
      const json: unknown = JSON.parse(body.toString('utf8'));
      if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
    } catch {
      // Told below.
    }
    throw this.invalid('is described by something that is not JSON', 'Is that the address of a registry?');
  }

  async #get(path: string, largestBytes: number): Promise<RegistryAnswer> {
    const { registry, repository } = this.reference;
    const url = `${this.#schemeOf(registry)}//${registry}/v2/${repository}/${path}`;
    let answer = await this.#follow(url, largestBytes);
    if (answer.status === 401 && this.#token === undefined) {
      this.#token = await this.#askForToken(answer.headers['www-authenticate'] ?? '');
      answer = await this.#follow(url, largestBytes);
    }
    const { status } = answer;
    if (status === 200) return answer;
    // Public registries answer 401 or 403 for what does not exist as well.
    if (status === 401 || status === 403 || status === 404) {
      throw this.#problem(
        'IMAGE_NOT_FOUND',
        `The registry ${registry} has no image "${this.text}" that can be fetched without a login.`,
        'Check the name and the tag; push it first where it is new.'
      );
    }
    throw this.#unavailable(`answered with status ${status}`);
  }

  async #follow(first: string, largestBytes: number): Promise<RegistryAnswer> {
    const accept = [...manifestTypes, ...indexTypes].join(', ');
    let url = this.#allowedUrl(first);
    for (let redirects = 0; redirects <= mostRedirects; redirects++) {
      const isRegistry = url.host === new URL(first).host;
      const headers: Record<string, string> = {
        accept,
        // The token is for the registry; where its blobs lie is another's house.
        ...(isRegistry && this.#token !== undefined ? { authorization: `Bearer ${this.#token}` } : {})
      };
      const answer = await this.#send(url, headers, largestBytes);
      const { location } = answer.headers;
      if (answer.status < 300 || answer.status >= 400 || location === undefined) return answer;
      url = this.#allowedUrl(location, url);
    }
    throw this.#unavailable(`redirected more than ${mostRedirects} times`);
  }

  async #askForToken(challenge: string): Promise<string> {
    const [scheme] = challenge.split(' ', 1);
    const parts = Object.fromEntries(
      [...challenge.matchAll(/([a-z]+)="([^"]*)"/gi)].map(([, name, value]) => [name!.toLowerCase(), value!])
    );
    const { realm, service } = parts;
    if (scheme?.toLowerCase() !== 'bearer' || realm === undefined) {
      throw this.#problem(
        'IMAGE_NOT_FOUND',
        `The registry ${this.reference.registry} asks for a login for "${this.text}".`,
        'Only images that can be fetched without a login can be used; push it where that is so.'
      );
    }
    const url = this.#allowedUrl(realm);
    if (service !== undefined) url.searchParams.set('service', service);
    url.searchParams.set('scope', `repository:${this.reference.repository}:pull`);
    const { status, body } = await this.#send(url, { accept: 'application/json' }, largestTokenBytes);
    if (status !== 200) throw this.#unavailable(`gave no token: ${url.host} answered with status ${status}`);
    const { token, access_token: other } = this.#parse(body);
    const found = token ?? other;
    if (typeof found === 'string' && /^[\x21-\x7e]+$/.test(found)) return found;
    throw this.#unavailable(`gave no token: ${url.host} answered with something else`);
  }

  async #send(url: URL, headers: Record<string, string>, largestBytes: number): Promise<RegistryAnswer> {
    try {
      return await getFromRegistry(url, headers, largestBytes, this.#signal);
    } catch (error) {
      if (error instanceof AddressRefused) {
        throw this.#problem(
          'REGISTRY_NOT_ALLOWED',
          `The registry ${url.host} may not be asked: ${error.message}, which is this machine's own or link-local.`,
          'Where that is meant, its administrator lists that address itself in LABSCALE_REGISTRIES.',
          error
        );
      }
      if (error instanceof AnswerTooLarge) {
        throw this.invalid(`is described by ${error.message}`, 'Is that the address of a registry?', error);
      }
      const { name, message, code } = error as NodeJS.ErrnoException;
      throw this.#unavailable(
        name === 'TimeoutError'
          ? `gave no answer within ${patienceMs / 1_000} s`
          : `gave no answer: ${code ?? message}`,
        error
      );
    }
  }

  /** Raises REGISTRY_NOT_ALLOWED for every place that the administrator did not list, before anything is sent there. */
  #allowedUrl(text: string, base?: URL): URL {
    const url = URL.parse(text, base?.href);
    const known = this.allowed.find(({ registry, plain }) => {
      const listed = URL.parse(`${plain ? 'http' : 'https'}://${registry}`);
      return listed !== null && url !== null && listed.origin === url.origin;
    });
    if (url !== null && known !== undefined) return url;
    throw this.#notAllowed(url === null ? text.slice(0, 200) : url.origin);
  }

  #schemeOf(registry: string): string {
    const known = this.allowed.find((one) => one.registry === registry);
    if (known === undefined) throw this.#notAllowed(registry);
    return known.plain ? 'http:' : 'https:';
  }

  #notAllowed(place: string): ProblemError {
    const names = this.allowed.map(({ registry }) => registry);
    return this.#problem(
      'REGISTRY_NOT_ALLOWED',
      names.length === 0
        ? 'This server may ask no image registry, so no image can be registered.'
        : `This server may not ask ${place}, which the image "${this.text}" leads to.`,
      `${names.length === 0 ? '' : `Use an image of ${names.join(', ')}. `}The administrator lists registries in LABSCALE_REGISTRIES.`
    );
  }

  #unavailable(detail: string, cause?: unknown): ProblemError {
    return this.#problem(
      'REGISTRY_UNAVAILABLE',
      `The registry ${this.reference.registry} ${detail}.`,
      'Try again later; check its address and certificate where it stays so.',
      cause
    );
  }

  #problem(
    code: 'IMAGE_INVALID' | 'IMAGE_NOT_FOUND' | 'REGISTRY_NOT_ALLOWED' | 'REGISTRY_UNAVAILABLE',
    detail: string,
    mend: string,
    cause?: unknown
  ): ProblemError {
    return new ProblemError(code, detail, { field: 'body/image', mend, cause });
  }
}

/** Entries of a list that name something by a digest; the rest is not of use. */
function descriptorsOf(value: unknown): Descriptor[] {
  if (!Array.isArray(value)) return [];
  return value.filter((one): one is Descriptor => {
    const digest = (one as Partial<Descriptor> | null | undefined)?.digest;
    return typeof digest === 'string' && /^sha256:[0-9a-f]{64}$/.test(digest);
  });
}
