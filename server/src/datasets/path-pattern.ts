import { ProblemError } from '../problem-error.js';

type Token = { kind: 'text'; text: string } | { kind: 'star' } | { kind: 'group'; name: string; label: boolean };

/** What a pattern makes of one path: the entities of its named groups. */
export type Reading = ReadonlyMap<string, string>;

/** At most two, each the groups in the order of the pattern. */
type Readings = readonly (readonly (readonly [string, string])[])[];

const groupName = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/**
 * A path with named groups, as `sub-{sub}/anat/sub-{sub}_{suffix}.nii`. A group matches one or more characters of one name,
 * the same ones wherever it comes again; `*` matches any number. A group written behind its own name and a hyphen, as
 * `sub-{sub}`, is a BIDS label, which has no underscore in it.
 */
export class PathPattern {
  readonly #tokens: readonly Token[];
  /** For each token, the groups that are bound before it and come again from it on. */
  readonly #boundBefore: readonly (readonly string[])[];
  /** Folders of a path that all files of a shard have in common. */
  readonly #commonFolders: number;

  /** Raises PATTERN_INVALID. */
  constructor(pattern: string) {
    this.#tokens = parse(pattern);
    const names = this.#tokens.map((token) => (token.kind === 'group' ? token.name : undefined));
    this.#boundBefore = Array.from({ length: names.length + 1 }, (_, at) => [
      ...new Set(names.slice(at).filter((name) => name !== undefined && names.slice(0, at).includes(name)))
    ]) as string[][];
    const folders = pattern.split('/').slice(0, -1);
    const star = folders.findIndex((folder) => folder.includes('*'));
    this.#commonFolders = star < 0 ? folders.length : star;
  }

  /** The different ways to read a path, the first two of them: none does not match, two are ambiguous. */
  read(path: string): Reading[] {
    // What can follow a place depends on the place alone and on the groups that come again after it: so each is worked out
    // once, and a name of many like parts takes no longer than its length and the pattern's allow.
    const known = new Map<string, Readings>();
    const from = (at: number, position: number, bound: ReadonlyMap<string, string>): Readings => {
      const relevant = this.#boundBefore[at]!.map((name) => bound.get(name));
      const place = JSON.stringify([at, position, relevant]);
      let readings = known.get(place);
      if (readings === undefined) known.set(place, (readings = this.#read(path, at, position, bound, from)));
      return readings;
    };
    return from(0, 0, new Map()).map((reading) => new Map(reading));
  }

  /** The first two readings of what follows a place, by the groups that are bound there. */
  #read(
    path: string,
    at: number,
    position: number,
    bound: ReadonlyMap<string, string>,
    from: (at: number, position: number, bound: ReadonlyMap<string, string>) => Readings
  ): Readings {
    const token = this.#tokens[at];
    if (token === undefined) return position === path.length ? [[]] : [];
    const fixed = token.kind === 'text' ? token.text : token.kind === 'group' ? bound.get(token.name) : undefined;
    if (fixed !== undefined) {
      return path.startsWith(fixed, position) ? from(at + 1, position + fixed.length, bound) : [];
    }
    const found = new Map<string, Readings[number]>();
    const next = this.#tokens[at + 1];
    for (let end = token.kind === 'star' ? position : position + 1; end <= path.length; end++) {
      const last = path[end - 1];
      if (end > position && (last === '/' || (token.kind === 'group' && token.label && last === '_'))) break;
      if (next === undefined ? end < path.length : next.kind === 'text' && !path.startsWith(next.text, end)) continue;
      const own: Readings[number] = token.kind === 'group' ? [[token.name, path.slice(position, end)]] : [];
      for (const rest of from(at + 1, end, own.length > 0 ? new Map([...bound, ...own]) : bound)) {
        const reading = [...own, ...rest];
        found.set(JSON.stringify(reading), reading);
        if (found.size > 1) return [...found.values()];
      }
    }
    return [...found.values()];
  }

  /** The key of the shard of a reading: the pattern filled in, without what `*` stands for. */
  keyOf(reading: Reading): string {
    const filled = this.#tokens
      .map((token) =>
        token.kind === 'text' ? token.text : token.kind === 'star' ? '*' : (reading.get(token.name) ?? '')
      )
      .join('');
    const written = this.#tokens
      .map((token) => (token.kind === 'text' ? token.text : token.kind === 'star' ? '*' : 'x'))
      .join('')
      .split('/');
    return filled
      .split('/')
      .filter((_, place) => !(written[place]?.includes('*') && !this.#hasGroup(place)))
      .map((segment) => (segment.includes('*') ? segment.replace(/[_.-]?\*/g, '').replace(/^[_.-]+/, '') : segment))
      .filter((segment) => segment !== '')
      .join('/');
  }

  /** The path of a file inside its shard. */
  pathInShard(path: string): string {
    return path.split('/').slice(this.#commonFolders).join('/');
  }

  #hasGroup(segment: number): boolean {
    let place = 0;
    for (const token of this.#tokens) {
      if (token.kind === 'text') place += token.text.split('/').length - 1;
      else if (token.kind === 'group' && place === segment) return true;
    }
    return false;
  }
}

function parse(pattern: string): Token[] {
  const invalid = (detail: string, mend: string) =>
    new ProblemError('PATTERN_INVALID', detail, { field: 'body/source/pattern', mend });
  const segments = pattern.split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw invalid(
      'The pattern has an empty, "." or ".." part between its slashes.',
      'Write it relative to the folder, as sub-{sub}/anat/sub-{sub}_T1w.nii.'
    );
  }
  if (pattern.includes('**'))
    throw invalid('"**" is not known.', 'Write one "*" for each part of the path that differs.');
  const tokens: Token[] = [];
  const seen = new Set<string>();
  let at = 0;
  while (at < pattern.length) {
    const rest = pattern.slice(at);
    if (rest.startsWith('{')) {
      const end = rest.indexOf('}');
      const name = end < 0 ? rest.slice(1) : rest.slice(1, end);
      if (end < 0) throw invalid(`"{" at character ${at + 1} is never closed.`, 'Write {name}.');
      if (!groupName.test(name)) {
        throw invalid(
          `"${name}" cannot name a group.`,
          'Use letters, digits and underscores, starting with a letter, as {sub}.'
        );
      }
      const before = tokens.at(-1);
      const label = before?.kind === 'text' && new RegExp(`(^|[_/])${name}-$`).test(before.text);
      if (before !== undefined && before.kind !== 'text') throw sideBySide();
      tokens.push({ kind: 'group', name, label });
      seen.add(name);
      at += end + 1;
    } else if (rest.startsWith('*')) {
      if (tokens.at(-1) !== undefined && tokens.at(-1)?.kind !== 'text') throw sideBySide();
      tokens.push({ kind: 'star' });
      at += 1;
    } else if (rest.startsWith('}')) {
      throw invalid(`"}" at character ${at + 1} closes nothing.`, 'Write {name}.');
    } else {
      const text = /^[^{}*]+/.exec(rest)?.[0] ?? '';
      tokens.push({ kind: 'text', text });
      at += text.length;
    }
  }
  if (seen.size === 0) {
    throw invalid(
      'The pattern has no named group, so all files would be one shard.',
      'Name what tells shards apart, as {sub}.'
    );
  }
  return tokens;

  function sideBySide() {
    return invalid(
      'Two parts that match anything stand side by side, so nothing says where one ends.',
      'Put a text between them, as {sub}_{run}.'
    );
  }
}
