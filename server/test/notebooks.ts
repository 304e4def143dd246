/** A notebook of format 4 as JupyterLab writes it, with one cell tagged `parameters`. */
export function notebookOf(
  parameters: string | null,
  body = 'print(1)',
  more: { language?: string; kernel?: string } = {}
) {
  const language = more.language ?? 'python';
  const tagged = parameters === null ? [] : [codeCell(parameters, ['parameters'])];
  return {
    cells: [{ cell_type: 'markdown', id: 'title', metadata: {}, source: '# Title' }, ...tagged, codeCell(body)],
    metadata: {
      kernelspec: { name: more.kernel ?? 'python3', display_name: 'Some kernel', language },
      language_info: { name: language }
    } as Record<string, unknown>,
    nbformat: 4,
    nbformat_minor: 5
  };
}

export function codeCell(source: string, tags: string[] = []) {
  return {
    cell_type: 'code',
    id: `c${Math.abs([...source].reduce((sum, one) => (sum * 31 + one.charCodeAt(0)) | 0, 7))}`,
    metadata: (tags.length > 0 ? { tags } : {}) as Record<string, unknown>,
    source: source as string | string[],
    outputs: [] as unknown[],
    execution_count: null as number | null
  };
}
