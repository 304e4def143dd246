/** A table as it was written: the names of its columns and the texts below them. */
export interface TextTable {
  columns: string[];
  rows: string[][];
}

export class TableFault extends Error {}

/**
 * Reads tab-separated values (which know no quotes, as BIDS has them) or comma-separated ones (quotes as in RFC 4180).
 * Raises TableFault with the line.
 */
export function parseTable(text: string, separator: '\t' | ','): TextTable {
  const body = text.replace(/^\ufeff/, '');
  const records =
    separator === '\t' ? body.split(/\r?\n/).map((line) => (line === '' ? [] : line.split('\t'))) : csv(body);
  const [columns, ...rows] = records.filter((record) => record.length > 0);
  if (columns === undefined) throw new TableFault('it has no header line');
  const twice = columns.find((column, place) => columns.indexOf(column) !== place);
  if (twice !== undefined) throw new TableFault(`the column "${twice}" comes twice`);
  if (columns.includes('')) throw new TableFault('a column has no name');
  rows.forEach((row, place) => {
    if (row.length !== columns.length) {
      throw new TableFault(`row ${place + 1} has ${row.length} values, but the header names ${columns.length}`);
    }
  });
  return { columns, rows };
}

function csv(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  while (field.lastIndex < text.length || record.length > 0) {
    const match = field.exec(text);
    if (match === null)
      throw new TableFault(`row ${records.length} has a double quote that is not closed or stands inside a value`);
    record.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] !== ',') {
      records.push(record.length === 1 && record[0] === '' ? [] : record);
      record = [];
      if (match[3] === '') break;
    }
  }
  return records;
}
