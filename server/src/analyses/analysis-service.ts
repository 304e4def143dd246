import { basename } from 'node:path/posix';
import type { Analysis, AnalysisVersion, Contract, Operations } from '@labscale/schema';
import type { EventLog } from '../events/event-log.js';
import { decodeCursor, encodeCursor } from '../http/cursor.js';
import type { User } from '../http/identify.js';
import { canonicalJson } from '../metadata/canonical-json.js';
import { searchWords } from '../metadata/search-words.js';
import type { ObjectStore } from '../objects/object-store.js';
import type { RegistryClient } from '../images/registry-client.js';
import { ProblemError, notFound } from '../problem-error.js';
import { analysisDigest } from './analysis-digest.js';
import { decidingCells } from './deciding-cells.js';
import type { AnalysisRepository, NewVersion } from './analysis-repository.js';
import { commandParameters } from './command-line.js';
import { defaultCommandOf } from './container-arguments.js';
import { checkContract, commandPlaces, faultOfPath, mergeContract } from './contract-rules.js';
import { readNotebook, type Notebook, type NotebookContent } from './notebook-content.js';
import { inferParameters } from './parameter-inference.js';
import type { Parameter } from './parameters-cell.js';

type NewAnalysis = Operations['createAnalysis']['body'];
type BundledFile = { path: string; text: string };

/** All that is to be kept of one version: its row and its objects. */
interface Registration extends NewVersion {
  notebook: Notebook | null;
  cells: NotebookContent['cells'] | null;
  texts: BundledFile[];
}

/** Where the source of a version lies in the object store. */
export function analysisPrefix(digest: string): string {
  return `analyses/${digest.replace('sha256:', '')}/`;
}

export class AnalysisService {
  constructor(
    private readonly repository: AnalysisRepository,
    private readonly objects: ObjectStore,
    private readonly registries: RegistryClient,
    private readonly events: EventLog
  ) {}

  /** The contract that a notebook would have; without a tagged cell it has no parameters and no cell index. */
  async inspect(notebook: Notebook): Promise<Operations['inspectNotebook']['result']> {
    const content = readNotebook(notebook);
    const inferred = content.parametersCell ? inferParameters(content.parametersCell.source, content.language) : [];
    return {
      contract: mergeContract(inferred, forks(content.language), {}, undefined),
      kernel: content.kernel,
      cellIndex: content.parametersCell?.index ?? null
    };
  }

  /** Registers a notebook by its path, a command or container by its name; the same source and contract give the version that is there. */
  async create(user: User, given: NewAnalysis): Promise<Analysis> {
    const place = given.kind === 'notebook' ? given.path : given.name;
    for (;;) {
      const before = await this.repository.findByPlace(user.name, given.kind, place);
      const base = before && {
        contract: before.latestVersion.contract,
        base: await this.#baseOf(before.latestVersion)
      };
      const registration =
        given.kind === 'notebook'
          ? this.#readNotebook(given, base)
          : given.kind === 'command'
            ? this.#readCommand(given, base)
            : await this.#readContainer(given, base);
      const stored = () => this.repository.findByPlace(user.name, given.kind, place);
      if (before === undefined) {
        await this.#store(registration);
        const name = given.name ?? basename(place).replace(/\.ipynb$/, '');
        const description = given.description ?? '';
        // Another request may have registered the same place meanwhile: then this one is a version of that.
        if (!(await this.repository.insert(user.name, { name, place, description }, rowOf(registration)))) continue;
      } else {
        const { latestVersion } = before;
        const same =
          latestVersion.digest === registration.digest &&
          latestVersion.image?.reference === registration.image?.reference &&
          canonicalJson(latestVersion.contract) === canonicalJson(registration.contract);
        if (!same) {
          await this.#store(registration);
          if (!(await this.repository.insertVersion(user.name, latestVersion, rowOf(registration)))) continue;
        }
        const renamed = given.name !== undefined && given.name !== before.name;
        const described = given.description !== undefined && given.description !== before.description;
        if (renamed || described) await this.update(before.id, pick(given));
        else if (same) return before;
      }
      const analysis = await stored();
      if (analysis === undefined) throw new Error('an analysis was registered and is not there');
      this.#changed(analysis);
      return analysis;
    }
  }

  async get(id: string): Promise<Analysis> {
    const analysis = await this.repository.find(id);
    if (analysis === undefined) throw notFound(id);
    return analysis;
  }

  async list(user: User, query: Operations['listAnalyses']['query']): Promise<Operations['listAnalyses']['result']> {
    const limit = query.limit ?? 50;
    const after = decodeCursor(query.cursor, 'analyses', (parts): parts is [string] => typeof parts[0] === 'string');
    const { items, total } = await this.repository.list(user.name, {
      words: searchWords(query.search),
      ...(query.path === undefined ? {} : { path: query.path }),
      ...(after === undefined ? {} : { before: after[0] }),
      limit: limit + 1
    });
    const page = items.slice(0, limit);
    const last = items.length > limit ? page.at(-1) : undefined;
    return { items: page, nextCursor: last ? encodeCursor('analyses', last.id) : null, total };
  }

  async update(id: string, change: { name?: string; description?: string }): Promise<Analysis> {
    const row = await this.repository.findRow(id);
    if (row === undefined) throw notFound(id);
    if (!(await this.repository.update(row, change))) {
      throw new ProblemError('NAME_TAKEN', `You already have a ${row.kind} named "${change.name}".`, {
        field: 'body/name',
        mend: 'Choose another name.'
      });
    }
    const analysis = await this.get(id);
    this.#changed(analysis);
    return analysis;
  }

  /** A version with the same source and another contract; the latest one where nothing differs. */
  async updateContract(user: User, id: string, contract: Contract): Promise<AnalysisVersion> {
    for (;;) {
      const { latestVersion } = await this.get(id);
      if (canonicalJson(latestVersion.contract) === canonicalJson(contract)) return latestVersion;
      const { kind, path, kernel, command, image, adapter, files } = latestVersion;
      checkContract(contract, kind, await this.#languageOf(latestVersion));
      if (command !== null) checkPlaces(command, contract, commandPlaces[kind]);
      const notebook = kind === 'notebook' ? await this.source(latestVersion) : null;
      const cells = notebook && decidingCells(readNotebook(notebook), contract);
      const texts = await this.#textsOf(latestVersion);
      const content = { kind, cells, kernel, command, image, adapter, contract };
      const digest = analysisDigest({ ...content, files: texts });
      const registration = { ...content, digest, path, files, notebook, texts };
      if (digest !== latestVersion.digest) await this.#store(registration);
      const version = await this.repository.insertVersion(user.name, latestVersion, rowOf(registration));
      if (version === undefined) continue;
      this.#changed(await this.get(id));
      return version;
    }
  }

  async listVersions(
    id: string,
    query: Operations['listAnalysisVersions']['query']
  ): Promise<Operations['listAnalysisVersions']['result']> {
    const limit = query.limit ?? 50;
    const after = decodeCursor(
      query.cursor,
      'analysis-versions',
      (parts): parts is [number] => typeof parts[0] === 'number'
    );
    const { items, total } = await this.repository.listVersions(id, {
      ...(after === undefined ? {} : { before: after[0] }),
      limit: limit + 1
    });
    const page = items.slice(0, limit);
    const last = items.length > limit ? page.at(-1) : undefined;
    return { items: page, nextCursor: last ? encodeCursor('analysis-versions', last.number) : null, total };
  }

  async getVersion(id: string): Promise<AnalysisVersion> {
    const version = await this.repository.findVersion(id);
    if (version === undefined) throw notFound(id);
    return version;
  }

  /** The notebook of a version as it is kept. Raises NOT_FOUND for a command or container. */
  async source(version: AnalysisVersion): Promise<Notebook> {
    if (version.kind !== 'notebook') {
      throw new ProblemError('NOT_FOUND', `This analysis is a ${version.kind} and has no notebook.`, {
        field: 'versionId',
        mend: 'Its command line is in the version itself.'
      });
    }
    const body = await this.objects.get(`${analysisPrefix(version.digest)}notebook.ipynb`);
    if (body === undefined) {
      throw new ProblemError('NOT_FOUND', 'The notebook of this version is no longer in the object store.', {
        field: 'versionId',
        mend: 'Register the notebook again.'
      });
    }
    return JSON.parse(body.toString('utf8')) as Notebook;
  }

  #readNotebook(given: NewAnalysis & { kind: 'notebook' }, before: Before): Registration {
    const { path, notebook, contract: edits = {} } = given;
    const fault = faultOfPath(path);
    if (fault !== undefined) {
      throw new ProblemError('PATH_INVALID', `The path of the notebook, "${path}", ${fault}.`, {
        field: 'body/path',
        mend: 'Give it relative to the project folder.'
      });
    }
    const read = readNotebook(notebook);
    const { stripped, kernel, language, parametersCell } = read;
    if (parametersCell === null && edits.parameters?.length !== 0) {
      throw new ProblemError('NOTEBOOK_WITHOUT_PARAMETERS', 'No code cell of the notebook is tagged `parameters`.', {
        field: 'body/notebook',
        mend: 'Tag the cell that sets the parameters, or send contract.parameters as an empty list for a notebook that has none.'
      });
    }
    const inferred =
      parametersCell === null || edits.parameters !== undefined ? [] : inferParameters(parametersCell.source, language);
    const contract = mergeContract(inferred, forks(language), edits, before);
    checkContract(contract, 'notebook', language);
    const texts = checkFiles(given.files ?? []);
    const cells = decidingCells(read, contract);
    const content = { kind: 'notebook' as const, cells, kernel, ...noCommand, files: texts, contract };
    return {
      ...content,
      path,
      files: texts.map((file) => file.path),
      digest: analysisDigest(content),
      notebook: stripped,
      texts
    };
  }

  #readCommand(given: NewAnalysis & { kind: 'command' }, before: Before): Registration {
    const { command, contract: edits = {} } = given;
    const contract = mergeContract(commandParameters(command, commandPlaces.command), false, edits, before);
    checkContract(contract, 'command', undefined);
    checkPlaces(command, contract, commandPlaces.command);
    const texts = checkFiles(given.files ?? []);
    const content = {
      kind: 'command' as const,
      cells: null,
      kernel: null,
      ...noCommand,
      command,
      files: texts,
      contract
    };
    return {
      ...content,
      path: null,
      files: texts.map((file) => file.path),
      digest: analysisDigest(content),
      notebook: null,
      texts
    };
  }

  /** Asks the registry each time: a tag may stand for another image than the last time, which is then another version. */
  async #readContainer(given: NewAnalysis & { kind: 'container' }, before: Before): Promise<Registration> {
    const { adapter = 'plain', contract: edits = {} } = given;
    const { defaultCommand, ...image } = await this.registries.resolve(given.image);
    const command = given.command ?? defaultCommandOf(adapter, defaultCommand);
    if (image.entrypoint.length + command.length === 0) {
      throw new ProblemError('CONTRACT_INVALID', `The image "${given.image}" does not say what it runs.`, {
        field: 'body/command',
        mend: 'Give a command: the program in the image and its arguments.'
      });
    }
    const places = commandPlaces.container;
    const contract = mergeContract(commandParameters(command, places), false, edits, before);
    checkContract(contract, 'container', undefined);
    checkPlaces(command, contract, places);
    const content = { kind: 'container' as const, cells: null, kernel: null, command, image, adapter, contract };
    const digest = analysisDigest({ ...content, files: [] });
    return { ...content, digest, path: null, files: [], notebook: null, texts: [] };
  }

  /** Objects first: a version that can be seen can be run. */
  async #store({ digest, notebook, texts }: Registration): Promise<void> {
    const prefix = analysisPrefix(digest);
    if (notebook !== null) {
      await this.objects.putIfAbsent(`${prefix}notebook.ipynb`, Buffer.from(JSON.stringify(notebook)));
    }
    for (const { path, text } of texts) await this.objects.putIfAbsent(`${prefix}files/${path}`, Buffer.from(text));
    await this.objects.sync();
  }

  /** What the source of a version says by itself, to tell what was edited by hand. */
  async #baseOf(version: AnalysisVersion): Promise<Parameter[]> {
    if (version.command !== null) return commandParameters(version.command, commandPlaces[version.kind]);
    const { parametersCell, language } = readNotebook(await this.source(version));
    try {
      return parametersCell === null ? [] : inferParameters(parametersCell.source, language);
    } catch (error) {
      // Registered with parameters of its own because its cell cannot be read.
      if (error instanceof ProblemError) return [];
      throw error;
    }
  }

  async #languageOf(version: AnalysisVersion): Promise<string | undefined> {
    if (version.kind !== 'notebook') return undefined;
    return version.kernel?.language ?? readNotebook(await this.source(version)).language;
  }

  async #textsOf(version: AnalysisVersion): Promise<BundledFile[]> {
    const texts: BundledFile[] = [];
    for (const path of version.files) {
      const body = await this.objects.get(`${analysisPrefix(version.digest)}files/${path}`);
      if (body === undefined) throw new Error(`${path} of ${version.id} is not in the object store`);
      texts.push({ path, text: body.toString('utf8') });
    }
    return texts;
  }

  #changed(analysis: Analysis): void {
    this.events.publish(analysis.owner, { type: 'changed', noun: 'analysis', id: analysis.id });
  }
}

type Before = { contract: Contract; base: Parameter[] } | undefined;

/** Only Python can be imported once and forked. */
function forks(language: string): boolean {
  return language === 'python';
}

const noCommand = { command: null, image: null, adapter: null };

function rowOf({ notebook: _, cells: __, texts: ___, ...version }: Registration): NewVersion {
  return version;
}

function pick({ name, description }: NewAnalysis): { name?: string; description?: string } {
  return { ...(name === undefined ? {} : { name }), ...(description === undefined ? {} : { description }) };
}

/** Raises CONTRACT_INVALID where a command line names a parameter that its contract has not. */
function checkPlaces(command: readonly string[], contract: Contract, places: ReadonlySet<string>): void {
  const known = new Set(contract.parameters.map(({ name }) => name));
  const missing = commandParameters(command, places).find(({ name }) => !known.has(name));
  if (missing === undefined) return;
  throw new ProblemError('CONTRACT_INVALID', `The command names {${missing.name}}, which the contract has not.`, {
    field: 'body/contract/parameters',
    mend: `Add the parameter ${missing.name}, or write {{ and }} for braces; {${[...places].join('}, {')}} are the task's own.`
  });
}

/** Bundled files in the order of their paths. Raises PATH_INVALID. */
function checkFiles(files: readonly BundledFile[]): BundledFile[] {
  const paths = new Set(files.map(({ path }) => path));
  files.forEach(({ path }, index) => {
    const invalid = (detail: string, mend: string) =>
      new ProblemError('PATH_INVALID', `The path of a bundled file, "${path.slice(0, 200)}", ${detail}.`, {
        field: `body/files/${index}/path`,
        mend
      });
    const fault = faultOfPath(path);
    if (fault !== undefined) throw invalid(fault, 'Give it relative to the folder of the notebook.');
    // A key of the object store has at most 1,024 bytes, of which the prefix takes some.
    if (Buffer.byteLength(path) > 900) throw invalid('has more than 900 bytes', 'Shorten it.');
    if (files.findIndex((other) => other.path === path) !== index) throw invalid('is there twice', 'Leave one out.');
    const parts = path.split('/');
    const folder = parts
      .slice(1)
      .map((_, length) => parts.slice(0, length + 1).join('/'))
      .find((above) => paths.has(above));
    if (folder !== undefined) throw invalid(`lies below "${folder}", which is a file`, 'Rename one of them.');
  });
  return [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
}
