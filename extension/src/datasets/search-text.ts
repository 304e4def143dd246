export interface ISearchText {
  /** Words that a dataset's name or description must have. */
  words: string;
  /** Terms `FIELD OP VALUE` that shards must fit, in the language of filters. */
  filter: string;
}

const term = /^[\p{L}_][\p{L}\p{N}_.-]*(!=|>=|<=|=|>|<)/u;

/** Parts what is typed into the search box: words look for datasets, terms as `sub=01 age>60` for their shards. */
export function splitSearchText(text: string): ISearchText {
  const parts = text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
  return {
    words: parts.filter((part) => !term.test(part)).join(' '),
    filter: parts.filter((part) => term.test(part)).join(' ')
  };
}
